/** Calls of qrun whose end is known before. */
import { expect } from 'vitest';
import type { Home } from './home.ts';
import type { Result } from './running.ts';

/** @returns all that it said */
export async function must(home: Home, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await home.qrun(args);
  expect({ args, status, stderr }).toMatchObject({ status: 0 });
  return stdout + stderr;
}

export async function refused(home: Home, ...args: string[]): Promise<Pick<Result, 'status' | 'stderr'>> {
  const { status, stderr } = await home.qrun(args);
  return { status, stderr };
}
