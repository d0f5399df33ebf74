// Package aiohttp is an HTTP client for coroutines: an [http.RoundTripper] on
// the event loop, under the [http.Client] that everybody knows.
//
//	asyncio.Run(ctx, func(ctx context.Context) error {
//		resp, err := aiohttp.Get(ctx, "https://go.dev/")
//		if err != nil {
//			return err
//		}
//		defer resp.Body.Close()
//		page, err := io.ReadAll(resp.Body)
//		...
//	})
//
// [Get] is for the occasional request. A program that makes many has a client
// of its own, from [NewClient] or with a [Transport] whose limits it chose, and
// makes its requests with [http.NewRequestWithContext].
//
// # The idea
//
// Requests, responses, headers, cookies and redirects are net/http's. What is
// ours is the part that waits. [http.Transport] has two goroutines for each
// connection and hands every request and response over between them and the
// caller's, with channels and locks; in a coroutine it would stop the loop. Here
// the caller's coroutine writes the request and reads the response itself, and
// all that requests share (the pool) belongs to the loop and needs no lock. It
// takes about half the processor time of http.Transport, and no goroutine. Only
// a body that does not fit into the first packet is sent by a task of its own,
// so that the server can answer before it has all of it, or talk both ways.
//
// HTTP/1.1 and 1.0 are spoken; of servers that also speak HTTP/2, ALPN asks for
// HTTP/1.1. Proxies (HTTP, HTTPS, SOCKS5), gzip, trailers in both directions,
// Expect: 100-continue, informational responses and protocol upgrades work as
// they do in http.Transport. So does [net/http/httptrace], but for the hooks of
// name resolution and of single connection attempts, which are the dialer's.
//
// # Contexts and timeouts
//
// A request ends with its context, in each phase: while it waits for a
// connection, resolves, dials, shakes hands, sends, waits for the response, and
// while its body is read. A context of the running task replaces the block
// around the call; with any other one (context.Background, another task's) the
// request ends with the block as well. What was under way is closed, and its
// place in the pool is free at once. The error is an [*Error], which says in
// which phase it happened and wraps the cause.
//
// Put [asyncio.Timeout] around a request together with the reading of its body.
// The Transport's own timeouts are for single phases: none of them ends a server
// that sends a byte now and then.
//
// # Response bodies
//
// Read a body to its end, or close it; else its connection is lost until the
// loop ends. A body that is closed early keeps its connection only if the rest of
// it has come already, for Close does not wait. Any coroutine may read a body, and
// a thread, too ([asyncio.ToThread]).
//
// # Bad peers
//
// What a server sends is bounded in memory: headers (MaxResponseHeaderBytes with
// the 1xx before them, 1,000 fields), chunk sizes with their extensions,
// trailers (16 KiB). What breaks the protocol is a [ProtocolError]. Bytes that
// come after a response cost the connection, so that no later request takes
// them for its own. The length of a body is for the caller to limit, with
// [io.LimitReader].
//
// A request is sent again, once for each connection that turns out to be dead,
// if the server closed the connection while it was idle, no byte of a response
// had come, its method is idempotent or it has an Idempotency-Key, and its body
// can be had again (GetBody).
//
// # What never to do
//
//   - Do not set Client.Timeout in a hot path: it works, but net/http starts a
//     goroutine for each request.
//   - Do not send a body whose Read blocks: an [io.Pipe], a file on a slow disk, a
//     connection that is not aionet's. It stops the loop. Read such a body in a
//     thread, or make the request there with http.Transport.
//   - Do not use a Transport on two loops. It belongs to the loop of its first
//     request until that loop ends; requests from elsewhere fail.
//   - A request without a context, as http.Client.Get makes it, is that of the task
//     which runs. Nothing but that task's innermost block ends it.
//
// # What differs from http.Transport
//
// Limits: MaxConns bounds all connections together, and requests wait in line for
// them, fairly: when all are in use, a connection that becomes free makes room for
// the request that has waited longest, even one to another host. A body of
// unknown length is always sent in chunks; it is not read ahead to see whether it
// is empty. After a response with a status of 300 or more, the rest of a request's
// body is not sent. Request.Cancel, long deprecated, is not looked at.
//
// # Costs
//
// A request over an idle connection takes three to five system calls and some 15
// µs of processor time, and allocates about 10 objects besides those of
// http.Client and http.NewRequest. An exchange that is under way holds 9 KB of
// buffers. An idle connection holds a few hundred bytes and its descriptor: no
// coroutine, no buffer, no timer of its own.
//
// # How it ends
//
// Idle connections are closed after IdleConnTimeout, when the server closes them or
// sends anything, and by CloseIdleConnections; all connections when the loop ends.
package aiohttp
