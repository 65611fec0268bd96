/** What a handler learns besides its argument. */
export interface Context {
  /** The first value of each entry of metadata. It has no prototype. */
  meta: Record<string, string>;
  /** The other side wants no reply. */
  push: boolean;
}

/**
 * "refused": the server does not want this client, and the client does not try again
 * until reconnect is called. "closed": close was called, or reconnect is false.
 */
export type State = "connecting" | "open" | "refused" | "closed";

/** How a connection has ended: 1006 without a reason if it broke or never came about. */
export interface CloseInfo {
  code: number;
  reason: string;
  /** Why the server has ended the session, if it has said so. */
  status?: StatusError;
}

/** A token with the time at which it expires, in milliseconds since 1970; 0 or none: never. */
export interface Token {
  token: string;
  expires?: number;
}

export interface Options {
  /** Connect again when the connection breaks. Default true. */
  reconnect?: boolean;
  /** Milliseconds before the first attempt to connect again; it doubles with each. Default 100. */
  minBackoff?: number;
  /** Milliseconds that it does not exceed. Default 10,000. */
  maxBackoff?: number;
  /** Milliseconds that a connection must last for the next pause to begin with minBackoff again. Default 5,000. */
  stableAfter?: number;
  /**
   * Returns the token to connect with. It is asked for at first, when the last one is
   * about to expire as a connection is made, and once after the server has refused it
   * with 401; then refused is true.
   */
  getToken?: (why: { refused: boolean }) => string | Token | Promise<string | Token>;
  /** false for a server of erpc v7, which knows no sub-protocols of WebSocket. Default true. */
  protocols?: boolean;
  /** The WebSocket class, where the runtime has none of its own. */
  WebSocket?: typeof WebSocket;
}

export interface SendOptions {
  /** Gives up waiting; the handler's context ends, if the other side is erpc. */
  signal?: AbortSignal;
  /** Metadata of the message. */
  meta?: Record<string, string>;
}

export interface CallOptions extends SendOptions {
  /** Milliseconds until the call fails with Code.HandleTimeout. */
  timeout?: number;
}

/** Codes of the framework. */
export declare const Code: Readonly<{
  ConnClosed: 102; BadMessage: 400; Unauthorized: 401; NotFound: 404; MtypeNotAllowed: 405; HandleTimeout: 408;
  TooLarge: 413; Exhausted: 429; Canceled: 499; InternalServerError: 500; ShuttingDown: 503;
}>;

/**
 * A failed status. A handler that throws one answers with it; whatever else a handler
 * throws is answered with Code.InternalServerError, and its text stays here.
 */
export declare class StatusError extends Error {
  constructor(code: number, msg?: string, cause?: string);
  readonly code: number;
  readonly msg: string;
  /** The text of the cause. */
  readonly detail: string;
}

/**
 * One end of a stream, and an async iterable of what the other side sends. A loop
 * that is left closes it. One reader at a time.
 */
export declare class Stream<In = unknown, Out = unknown> implements AsyncIterableIterator<In> {
  private constructor();
  /** Aborts when the stream has ended. */
  readonly signal: AbortSignal;
  /** Resolves with null when the stream has ended well, else with its status. */
  readonly ended: Promise<StatusError | null>;
  /** Resolves when the message was handed to the connection; it waits for the other side's program to take what was sent before. */
  send(message: Out): Promise<void>;
  /** Says that no more messages come from here. */
  closeSend(): Promise<void>;
  next(): Promise<IteratorResult<In>>;
  return(value?: unknown): Promise<IteratorResult<In>>;
  /** Ends the stream, if it has not ended; may be called at any time. */
  close(): void;
  [Symbol.asyncIterator](): this;
}

/** One side of a connection, which calls, pushes and handles. */
export declare class Peer {
  constructor(url: string | URL, options?: Options);
  readonly state: State;
  /** How the last connection has ended; null before that. */
  readonly lastClose: CloseInfo | null;
  /** Calls f with every new state. Returns a function that ends that. */
  onState(f: (state: State, lastClose: CloseInfo | null) => void): () => void;
  /** Makes f the handler of pushes and calls to a method. */
  on<A = unknown, R = unknown>(method: string, f: (arg: A, ctx: Context) => R | Promise<R>): this;
  /** Resolves with the reply, or rejects with a StatusError. Waits for the connection. */
  call<R = unknown>(method: string, arg?: unknown, options?: CallOptions): Promise<R>;
  /** Sends without a reply. Resolves when it was handed to the connection. */
  push(method: string, arg?: unknown, options?: SendOptions): Promise<void>;
  /** Opens a stream; an argument is its first message. */
  stream<In = unknown, Out = unknown>(method: string, arg?: Out, options?: CallOptions): Stream<In, Out>;
  /** Makes f the handler of streams that the other side opens; the stream ends when f does. */
  onStream<In = unknown, Out = unknown>(method: string, f: (stream: Stream<In, Out>, ctx: { meta: Record<string, string> }) => void | Promise<void>): this;
  /** Connects now: after a refusal, or in place of the pause between attempts. */
  reconnect(): void;
  /** Ends the connection for good. The code is 1000, or 3000 to 4999. Calls in flight fail. */
  close(code?: number, reason?: string): void;
}

/** Opens a connection; it is made again when it breaks. */
export declare function connect(url: string | URL, options?: Options): Peer;
