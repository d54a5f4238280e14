/** Bytes to lines and back. QMP is JSON, one value a line; a line is bounded, because a peer that never ends one would fill the memory. */
export interface LineDecoder {
  /** Gives the lines that are complete now, without their ends. @throws RangeError for a line beyond the bound */
  readonly push: (chunk: Buffer) => string[];
}

export interface LineDecoderOptions {
  readonly maxLineBytes: number;
  /** `drop` skips a line beyond the bound instead of throwing. Default `throw`. */
  readonly overlong?: 'throw' | 'drop';
}

const newline = 0x0a;

export function createLineDecoder({ maxLineBytes, overlong = 'throw' }: LineDecoderOptions): LineDecoder {
  let parts: Buffer[] = [];
  let size = 0;
  let dropping = false;
  const hold = (part: Buffer): void => {
    if (dropping || part.length === 0) return;
    size += part.length;
    if (size <= maxLineBytes) {
      parts.push(part);
      return;
    }
    if (overlong === 'throw') throw new RangeError(`a line of more than ${maxLineBytes} bytes`);
    parts = [];
    dropping = true;
  };
  const take = (): string | undefined => {
    const line = dropping ? undefined : Buffer.concat(parts, size).toString('utf8').replace(/\r$/, '');
    parts = [];
    size = 0;
    dropping = false;
    return line;
  };
  return {
    push: (chunk) => {
      const lines: string[] = [];
      let begin = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, begin)) {
        hold(chunk.subarray(begin, end));
        const line = take();
        if (line !== undefined) lines.push(line);
        begin = end + 1;
      }
      hold(chunk.subarray(begin));
      return lines;
    },
  };
}
