/** Which numbers the descriptors have that QEMU inherits: 0 to 4 are its own files (launch/waiter), NICs have those from 5 up. */

/** What the waiter needs for itself: none for QEMU stands behind these. */
export const waiterDescriptors = { input: 8, status: 9 } as const;
const firstOfNics = 5;

/** Gives one number after the other. */
export function nicDescriptors(): () => number {
  const own: readonly number[] = Object.values(waiterDescriptors);
  let next = firstOfNics;
  return () => {
    while (own.includes(next)) next += 1;
    return next++;
  };
}
