package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// A server and a client of streams, as asyncio.start_server and asyncio.open_connection make them.
func ExampleStartServer() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		server, err := aionet.StartServer(ctx, "tcp", "127.0.0.1:0", func(ctx context.Context, r *aionet.Reader, w *aionet.Writer) error {
			for line, err := range r.Lines() {
				if err != nil {
					return err
				}
				w.Writev([]byte("you said "), line)
				if err := w.Drain(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		defer server.Close()

		r, w, err := aionet.OpenConnection(ctx, "tcp", server.Addrs()[0].String(), aionet.WithLimit(1000))
		if err != nil {
			return err
		}
		w.WriteString("hello\n")
		answer, err := r.ReadLine()
		fmt.Printf("%s", answer)
		w.Close()
		return errors.Join(err, w.WaitClosed(ctx))
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: you said hello
}

// Of several separators the one counts that ends first.
func ExampleReader_ReadUntil() {
	r := aionet.NewReader(strings.NewReader("one;two\r\nthree"))
	for {
		part, err := r.ReadUntil([]byte(";"), []byte("\r\n"))
		if short, ok := errors.AsType[*aionet.IncompleteReadError](err); ok {
			fmt.Printf("at the end %q\n", short.Partial)
			return
		}
		fmt.Printf("%q\n", part)
	}
	// Output:
	// "one;"
	// "two\r\n"
	// at the end "three"
}

// A stream that ends in the middle of a message gives what had come of it.
func ExampleReader_ReadExactly() {
	r := aionet.NewReader(strings.NewReader("\x05helloworl"))
	length, _ := r.ReadExactly(1)
	message, _ := r.ReadExactly(int(length[0]))
	fmt.Printf("%s\n", message)
	_, err := r.ReadExactly(5)
	fmt.Println(err, errors.Is(err, io.ErrUnexpectedEOF))
	// Output:
	// hello
	// aionet: the stream ended after 4 of 5 bytes true
}

// Peek and Discard look at a message without copying it.
func ExampleReader_Peek() {
	r := aionet.NewReader(strings.NewReader("GET / HTTP/1.1"))
	if method, err := r.Peek(3); err == nil && bytes.Equal(method, []byte("GET")) {
		r.Discard(4)
	}
	rest, _ := r.ReadAll()
	fmt.Printf("%s, at the end: %v\n", rest, r.AtEOF())
	// Output: / HTTP/1.1, at the end: true
}

// Drain holds back who writes faster than the peer reads.
func ExampleWriter_Drain() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0") // which nobody serves: nothing is read
		if err != nil {
			return err
		}
		_, w, err := aionet.OpenConnection(ctx, "tcp", ln.Addr().String(), aionet.WithWaterMarks(1<<10, 4<<10))
		if err != nil {
			return err
		}
		err = asyncio.Timeout(ctx, 50*time.Millisecond, func(ctx context.Context) error {
			for {
				w.Write(make([]byte, 64<<10))
				if err := w.Drain(ctx); err != nil {
					return err
				}
			}
		})
		fmt.Println(err, w.Buffered() <= 64<<10)

		w.Close()
		ended, cancel := asyncio.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		fmt.Println("sent all:", w.WaitClosed(ended) == nil, "closing:", w.IsClosing())
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// asyncio: timed out after 50ms true
	// sent all: false closing: true
}

// A mail server's STARTTLS: plain text first, then TLS on the same connection, on both sides.
func ExampleWriter_StartTLS() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		server, err := aionet.StartServer(ctx, "tcp", "127.0.0.1:0", func(ctx context.Context, r *aionet.Reader, w *aionet.Writer) error {
			if _, err := r.ReadLine(); err != nil {
				return err
			}
			w.WriteString("220 ready\r\n")
			if err := w.StartTLS(ctx, r, serverConfig(), aionet.ServerSide); err != nil {
				return err
			}
			_, err := w.WriteString("250 now in secret\r\n")
			return err
		})
		if err != nil {
			return err
		}
		defer server.Close()

		r, w, err := aionet.OpenConnection(ctx, "tcp", server.Addrs()[0].String())
		if err != nil {
			return err
		}
		defer w.Close()
		w.WriteString("STARTTLS\r\n")
		line, err := r.ReadLine()
		if err != nil {
			return err
		}
		fmt.Printf("%q\n", line)
		if err := w.StartTLS(ctx, r, clientConfig(), aionet.ClientSide); err != nil {
			return err
		}
		line, err = r.ReadLine()
		fmt.Printf("%q\n", line)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// "220 ready\r\n"
	// "250 now in secret\r\n"
}

// A server that does not answer the handshake.
func ExampleWithHandshakeTimeout() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		mute, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer mute.Close()
		_, err = aionet.DialTLS(ctx, "tcp", mute.Addr().String(), clientConfig(), aionet.WithHandshakeTimeout(10*time.Millisecond))
		fmt.Println(errors.Is(err, context.DeadlineExceeded))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: true
}
