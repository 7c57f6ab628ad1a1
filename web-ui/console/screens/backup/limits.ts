// What a page can take of a file.

export const MOST_BYTES = 64 * 1024 * 1024;
/** Reading YAML takes a multiple of its size, and a while. */
export const MOST_YAML_BYTES = 8 * 1024 * 1024;
/** Leases that are granted for a file: each is a request. */
export const MOST_LEASES = 10_000;
