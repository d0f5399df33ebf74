package aionet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// A server that answers each line, and a client, on one loop. There are no goroutines, and no locks.
func ExampleServe() {
	shout := func(_ context.Context, c net.Conn) error {
		lines := bufio.NewScanner(c)
		for lines.Scan() {
			if _, err := fmt.Fprintf(c, "%s!\n", lines.Text()); err != nil {
				return err
			}
		}
		return lines.Err()
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := asyncio.Go(ctx, func(ctx context.Context) error { return aionet.Serve(ctx, ln, shout) })

		c, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Fprintln(c, "hello")
		answer, err := bufio.NewReader(c).ReadString('\n')
		fmt.Print(answer)

		server.Cancel() // Serve closes its connections and ends
		_, _ = server.Await(ctx)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello!
}

// A Timeout reaches the read that is deep inside fmt.Fscan.
func ExampleConn_Read_timeout() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0") // which nobody serves
		if err != nil {
			return err
		}
		c, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		return asyncio.Timeout(ctx, 10*time.Millisecond, func(context.Context) error {
			var word string
			_, err := fmt.Fscan(c, &word)
			return err
		})
	})
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}
