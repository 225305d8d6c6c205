/**
 * Reads one HTTP/1.1 response to a GET off a connection: just enough of it for the demo.
 *
 * @module
 */

type State = "head" | "length" | "chunk size" | "chunk" | "trailer" | "to the end" | "done";

/** Takes bytes as they come, until the response is whole. Its body is counted, not kept. */
export class HttpReader {
  #state: State = "head";
  #text = "";
  #left = 0;
  #status = 0;
  #keepAlive = true;
  #bodyBytes = 0;

  /** The status code; 0 before it is known. */
  get status(): number {
    return this.#status;
  }

  /** How long the body is so far, in bytes. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Whether another request may follow on the same connection. */
  get reusable(): boolean {
    return this.#state === "done" && this.#keepAlive && this.#text === "";
  }

  /**
   * Takes what came; true when the response is whole.
   *
   * @throws {Error} It is not HTTP/1.1
   */
  push(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; at += 8_192) {
      this.#text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
    }
    while (this.#step());
    return this.#state === "done";
  }

  /** Takes the end of the connection; true when the response is whole with it. */
  end(): boolean {
    return this.#state === "done" || this.#state === "to the end";
  }

  /** Goes one step on; false where more bytes are needed, or none. */
  #step(): boolean {
    switch (this.#state) {
      case "head":
        return this.#head();
      case "chunk size":
        return this.#chunkSize();
      case "length":
      case "chunk":
        return this.#body();
      case "trailer": {
        const line = this.#line();
        if (line === "") this.#state = "done";
        return line !== undefined && line !== "";
      }
      case "to the end":
        this.#bodyBytes += this.#text.length;
        this.#text = "";
        return false;
      case "done":
        return false;
    }
  }

  #head(): boolean {
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 4);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
    if (Number.isNaN(status)) throw new Error("The answer is not HTTP/1.1");
    // One that only announces another.
    if (status < 200) return true;
    this.#status = status;
    this.#keepAlive = !/^connection:.*\bclose\b/im.test(head);
    const length = /^content-length: *(\d+)\s*$/im.exec(head)?.[1];
    if (status === 204 || status === 304) this.#state = "done";
    else if (/^transfer-encoding:.*\bchunked\b/im.test(head)) this.#state = "chunk size";
    else if (length === undefined) this.#state = "to the end";
    else {
      this.#left = Number(length);
      this.#state = "length";
    }
    return true;
  }

  #chunkSize(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    const size = /^[0-9a-f]+/i.exec(line)?.[0];
    if (size === undefined) throw new Error("The answer has a chunk without a size");
    this.#left = parseInt(size, 16);
    if (this.#left > 0) this.#left += 2;
    this.#state = this.#left > 0 ? "chunk" : "trailer";
    return true;
  }

  #body(): boolean {
    const taken = Math.min(this.#left, this.#text.length);
    this.#left -= taken;
    this.#bodyBytes += taken;
    this.#text = this.#text.slice(taken);
    if (this.#left > 0) return false;
    if (this.#state === "chunk") this.#bodyBytes -= 2;
    this.#state = this.#state === "chunk" ? "chunk size" : "done";
    return true;
  }

  #line(): string | undefined {
    const end = this.#text.indexOf("\r\n");
    if (end < 0) return undefined;
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 2);
    return line;
  }
}
