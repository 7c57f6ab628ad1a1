/** Does something for each of many, so many at the same time. Ends with the first that fails, when what was begun has ended. */
export async function atOnce<T>(most: number, all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  let [next, isOver] = [0, false];
  const worker = async (): Promise<void> => {
    for (;;) {
      const one = all[next];
      if (isOver || next >= all.length) return;
      next += 1;
      try {
        await run(one as T);
      } catch (error) {
        isOver = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(most, all.length) }, worker));
  const failed = ended.find((each) => each.status === "rejected");
  if (failed) throw failed.reason;
}
