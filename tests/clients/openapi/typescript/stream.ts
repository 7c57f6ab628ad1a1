// Streams as they are read with any client: a body of events, cut into pieces.

/** The parts of a body between separators, as they come. */
export async function* pieces(body: ReadableStream<Uint8Array>, separator: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split(separator);
    rest = parts.pop() ?? "";
    yield* parts.filter((part) => part.trim() !== "");
  }
}
