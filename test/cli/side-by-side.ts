/** Three at once: what waits for processes leaves the processors to others. */
export async function sideBySide(names: readonly string[], act: (name: string) => Promise<void>): Promise<void> {
  const left = [...names];
  const work = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await act(name);
  };
  await Promise.all([work(), work(), work()]);
}
