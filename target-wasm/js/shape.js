// What a new store gets where its maker says nothing.

const SIZE = 4 * 1024 * 1024;
const LOGS = [64 * 1024];
/** Large segments cost fewer flushes beside those of commits; small stores need many of them. */
const SEGMENT = 64 * 1024;

export function shape({ size = SIZE, logs = LOGS, segmentSize = size < 32 * SEGMENT ? undefined : SEGMENT, ...options }) {
  return { size, logs, segmentSize, ...options };
}
