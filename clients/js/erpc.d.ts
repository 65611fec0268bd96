/** What a handler learns besides its argument. */
export interface Context {
  /** The first value of each entry of metadata. */
  meta: Record<string, string>;
  /** The other side wants no reply. */
  push: boolean;
}

export type State = "connecting" | "open" | "closed";

export interface Options {
  /** Connect again when the connection breaks. Default true. */
  reconnect?: boolean;
  /** Milliseconds before the first attempt to connect again; it doubles with each. Default 100. */
  minBackoff?: number;
  /** Milliseconds that it does not exceed. Default 10,000. */
  maxBackoff?: number;
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

export declare const Code: Readonly<{
  ConnClosed: 102; BadMessage: 400; Unauthorized: 401; NotFound: 404; MtypeNotAllowed: 405; HandleTimeout: 408;
  TooLarge: 413; Exhausted: 429; Canceled: 499; InternalServerError: 500; ShuttingDown: 503;
}>;

/** A failed status. A handler that throws one answers with it. */
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

export declare class Peer {
  constructor(url: string | URL, options?: Options);
  readonly state: State;
  onState(f: (state: State) => void): () => void;
  on<A = unknown, R = unknown>(method: string, f: (arg: A, ctx: Context) => R | Promise<R>): this;
  call<R = unknown>(method: string, arg?: unknown, options?: CallOptions): Promise<R>;
  push(method: string, arg?: unknown, options?: SendOptions): Promise<void>;
  /** Opens a stream; an argument is its first message. */
  stream<In = unknown, Out = unknown>(method: string, arg?: Out, options?: CallOptions): Stream<In, Out>;
  /** Makes f the handler of streams that the other side opens; the stream ends when f does. */
  onStream<In = unknown, Out = unknown>(method: string, f: (stream: Stream<In, Out>, ctx: { meta: Record<string, string> }) => void | Promise<void>): this;
  close(): void;
}

export declare function connect(url: string | URL, options?: Options): Peer;
