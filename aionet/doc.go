// Package aionet is networking on the event loop: TCP and Unix sockets, TLS, servers, datagrams, name resolution.
//
// # The idea
//
// A [Conn] is a plain net.Conn, in both worlds. In a coroutine, Read and Write suspend that coroutine and nothing
// else: bufio, io.Copy, encoding/json and crypto/tls run on it unchanged. On any other goroutine they block that
// goroutine, in Go's own netpoller and without any help from the loop, so that a library which starts goroutines of
// its own works, too, even while it holds up the loop.
//
//	asyncio.Run(ctx, func(ctx context.Context) error {
//		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:8080")
//		if err != nil {
//			return err
//		}
//		return aionet.Serve(ctx, ln, func(ctx context.Context, c net.Conn) error {
//			_, err := io.Copy(c, c)
//			return err
//		})
//	})
//
// A [PacketConn] is the same for datagrams: a plain net.PacketConn, from [ListenPacket] or [DialPacket].
//
// # Names
//
// Names are looked up by Go's resolver in threads, or by a [Resolver] of yours; nothing is remembered unless you wrap it
// in a [CachingResolver]. [Dial] tries the addresses by happy eyeballs (RFC 8305).
//
// Beside plain connections there are streams, in the manner of asyncio's: a [Reader] with lines, separators and limits,
// and a [Writer] that never waits but in Drain, from [OpenConnection] and [StartServer]. [StartTLS] and [Writer.StartTLS]
// make TLS of a connection in the middle.
//
// Beside it there is the callback style: a [Protocol] is called by its [Transport] with what arrives ([ServeProtocol],
// [DialProtocol]; [DatagramProtocol] for datagrams). An idle connection costs least there.
//
// # Cancellation
//
// net.Conn's methods take no context; on the loop they obey the innermost block of the running task (a Timeout, a
// group, the task itself; asyncio.Enter for any other context). What that leaves behind:
//
//   - A Read that is cancelled, or whose deadline passes, has taken nothing. What arrives is for the next Read.
//   - A Write returns how many bytes the system has taken, with the error. The stream is good up to there.
//   - A datagram is sent or received as a whole, or not at all.
//   - An Accept leaves the connection in the listener's queue. A Dial leaves nothing.
//   - A call of a [Reader] keeps what had come for the next one. A Drain leaves what was written, which is sent.
//   - A TLS Read or Write may be tried again like a plain one. A handshake may not: close the connection.
//
// Under a context that is done already, each call fails at once and takes nothing.
//
// # What never to do
//
// Do not let a lock that is not the loop's (a sync.Mutex) be held across a Read or Write in one coroutine and be
// taken in another: the second would stop the loop, and the first could never go on. [TLSConn] is made so that
// crypto/tls, which does hold locks, is never suspended in a Write, whatever connection is below; so use [StartTLS] in
// coroutines, and not tls.Client or tls.Server.
//
// A function that is given a context works on that context's loop. Elsewhere it returns [asyncio.ErrNotOnLoop] or
// [asyncio.ErrWrongGoroutine].
//
// # Fairness
//
// Each call that would wait if need be counts as a step, also when it does not wait, and when it fails; so does each
// 4 KiB that it moves. After 32 steps on a loop without a wait, the call lets the other tasks have a turn. A large Write
// does so in between. So neither a peer that is always faster, nor a loop that repeats a failing call without a pause, keeps
// the others from running, or the timeout around it from ending it.
//
// What never waits cannot let others in: a [Writer]'s Write, and the methods of a [Transport]. Who writes much calls
// [Writer.Drain]. A [Reader] counts only over a connection of this package, whose loop it knows.
//
// # Costs
//
// A Read or Write is one system call, without allocation; one that has to wait adds a switch. A connection costs
// about 600 bytes and one descriptor, plus one more once a foreign goroutine has used it. A Transport costs about 500
// bytes with its socket, and has neither coroutine nor buffer while it is idle; all transports of a loop receive into
// one buffer.
//
// # The end
//
// Who opened a connection or a listener closes it. What is still open when the loop ends is closed then. [Serve]
// returns when all its handlers have.
package aionet
