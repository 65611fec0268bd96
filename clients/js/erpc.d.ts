/** What a handler gets besides its argument. */
export interface Context {
  /** The first value of each entry of metadata. It has no prototype. */
  meta: Record<string, string>;
  /** The message is a push: the other side expects no reply. */
  push: boolean;
}

/**
 * "refused": the server has refused this client, and the client does not try again
 * until reconnect is called. "closed": close was called, or reconnect is false.
 */
export type State = "connecting" | "open" | "refused" | "closed";

/** How a connection ended: with code 1006 and no reason if it broke or could not be made. */
export interface CloseInfo {
  code: number;
  reason: string;
  /** The status with which the server ended the session, if it sent one. */
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
  /** Milliseconds before the first attempt to connect again; the pause doubles each time. Default 100. */
  minBackoff?: number;
  /** Maximum of that pause in milliseconds. Default 10,000. */
  maxBackoff?: number;
  /** Milliseconds that a connection must last before pauses start with minBackoff again. Default 5,000. */
  stableAfter?: number;
  /**
   * Returns the token to connect with. It is called for the first connection, when the last token is
   * about to expire as a connection is made, when the server has ended the session because the
   * login has expired, and once after the server has refused the token with 401. In the last two
   * cases refused is true.
   */
  getToken?: (why: { refused: boolean }) => string | Token | Promise<string | Token>;
  /** Set to false for a server of erpc v7, which does not support WebSocket sub-protocols. Default true. */
  protocols?: boolean;
  /** The WebSocket class, for runtimes without a built-in one. */
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
 * A failed status. A handler that throws one answers with it; any other exception of a handler
 * is answered with Code.InternalServerError, and its text is not sent.
 */
export declare class StatusError extends Error {
  constructor(code: number, msg?: string, cause?: string);
  readonly code: number;
  readonly msg: string;
  /** The text of the cause. */
  readonly detail: string;
}

/**
 * One end of a stream, and an async iterable of the messages from the other side. Leaving
 * a loop over it closes the stream. Only one reader at a time is allowed.
 */
export declare class Stream<In = unknown, Out = unknown> implements AsyncIterableIterator<In> {
  private constructor();
  /** Aborts when the stream has ended. */
  readonly signal: AbortSignal;
  /** Aborts when the other side begins to shut down, or asks for the end of this stream. The stream goes on, but should end soon. */
  readonly draining: AbortSignal;
  /** Resolves when the stream has ended: with null after success, else with its status. */
  readonly ended: Promise<StatusError | null>;
  /** Resolves when the message was passed to the connection. It waits until the program of the other side has taken enough earlier messages. */
  send(message: Out): Promise<void>;
  /** Tells the other side that this side sends no more messages. */
  closeSend(): Promise<void>;
  next(): Promise<IteratorResult<In>>;
  return(value?: unknown): Promise<IteratorResult<In>>;
  /** Ends the stream, if it has not ended; may be called at any time. */
  close(): void;
  [Symbol.asyncIterator](): this;
}

/** One side of a connection, which can call, push and handle messages. */
export declare class Peer {
  constructor(url: string | URL, options?: Options);
  readonly state: State;
  /** How the last connection ended; null before the first one ended. */
  readonly lastClose: CloseInfo | null;
  /** Calls f with every new state. Returns a function that unregisters f. */
  onState(f: (state: State, lastClose: CloseInfo | null) => void): () => void;
  /** Makes f the handler of pushes and calls to a method. */
  on<A = unknown, R = unknown>(method: string, f: (arg: A, ctx: Context) => R | Promise<R>): this;
  /** Resolves with the reply, or rejects with a StatusError. Waits for the connection. */
  call<R = unknown>(method: string, arg?: unknown, options?: CallOptions): Promise<R>;
  /** Sends a message without a reply. Resolves when it was passed to the connection. */
  push(method: string, arg?: unknown, options?: SendOptions): Promise<void>;
  /** Opens a stream. The argument, if any, is its first message. */
  stream<In = unknown, Out = unknown>(method: string, arg?: Out, options?: CallOptions): Stream<In, Out>;
  /** Makes f the handler of streams that the other side opens; the stream ends when f returns. */
  onStream<In = unknown, Out = unknown>(method: string, f: (stream: Stream<In, Out>, ctx: { meta: Record<string, string> }) => void | Promise<void>): this;
  /** Connects now, after a refusal or during the pause between attempts. */
  reconnect(): void;
  /**
   * Ends the connection permanently once the calls, handlers and streams in flight have ended, or
   * after timeout milliseconds (default 10000); then those that are left fail. New ones fail with
   * Code.ShuttingDown. Resolves when the connection has ended.
   */
  drain(options?: { timeout?: number }): Promise<void>;
  /** Ends the connection permanently. The code must be 1000 or from 3000 to 4999. Calls in flight fail. */
  close(code?: number, reason?: string): void;
}

/** Connects, and connects again when the connection breaks. */
export declare function connect(url: string | URL, options?: Options): Peer;
