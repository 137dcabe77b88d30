// A medium in memory: what is in it ends with the page.

/** A blank medium of `size` bytes, or one that holds a copy of an image. */
export function openMemory(size) {
  const created = typeof size === "number";
  return new MemoryMedium(created ? new Uint8Array(size) : size.slice(), created);
}

class MemoryMedium {
  #image;

  constructor(image, created) {
    this.#image = image;
    this.created = created;
  }

  get size() {
    return this.#image.length;
  }

  read(at, bytes) {
    bytes.set(this.#image.subarray(at, at + bytes.length));
  }

  write(at, bytes) {
    this.#image.set(bytes, at);
  }

  flush() {}

  replace(size, runs) {
    const image = new Uint8Array(size);
    image.set(this.#image.subarray(0, size));
    for (const [at, bytes] of runs) image.set(bytes, at);
    this.#image = image;
  }

  close() {}
}
