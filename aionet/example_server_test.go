package aionet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// A server at two addresses that closes while a client waits for its answer.
func ExampleServer() {
	_ = asyncio.Run(context.Background(), func(ctx context.Context) error {
		var asked asyncio.Event
		s := aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
			question, err := bufio.NewReader(c).ReadString('\n')
			if err != nil {
				return err
			}
			asked.Set()
			if err := asyncio.Sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			_, err = io.WriteString(c, "answer to "+question)
			return err
		}, aionet.WithMaxConnections(100), aionet.WithDrain(time.Second))
		lns, err := aionet.ListenAll(ctx, "tcp", []string{"127.0.0.1:0", "127.0.0.2:0"})
		if err != nil {
			return err
		}
		if err := errors.Join(s.AddListener(lns...), s.Start()); err != nil {
			return err
		}
		c, err := aionet.Dial(ctx, "tcp", lns[1].Addr().String())
		if err != nil {
			return err
		}
		fmt.Fprintln(c, "a question")
		if err := asked.Wait(ctx); err != nil {
			return err
		}
		fmt.Println("shut down:", s.Shutdown(ctx))
		answer, err := io.ReadAll(c)
		fmt.Print(string(answer))
		return err
	})
	// Output:
	// shut down: <nil>
	// answer to a question
}

// A connection that package net has accepted goes on on the loop.
func ExampleAdopt() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	client, _ := net.Dial("tcp", ln.Addr().String())
	accepted, _ := ln.Accept()
	_ = asyncio.Run(context.Background(), func(ctx context.Context) error {
		c, err := aionet.Adopt(ctx, accepted)
		if err != nil {
			return err
		}
		fmt.Fprintln(client, "hello")
		line, err := bufio.NewReader(c).ReadString('\n')
		fmt.Print(line)
		return err
	})
	client.Close()
	ln.Close()
	// Output: hello
}

// Under a service manager take its listeners, and else open your own.
func ExampleListenersFromEnvironment() {
	_ = asyncio.Run(context.Background(), func(ctx context.Context) error {
		lns, err := aionet.ListenersFromEnvironment(ctx)
		if err == nil && len(lns) == 0 {
			lns, err = aionet.ListenAll(ctx, "tcp", []string{"127.0.0.1:0"})
		}
		if err != nil {
			return err
		}
		fmt.Println("listeners:", len(lns))
		return nil
	})
	// Output: listeners: 1
}

// Each loop has its own listener at the same address.
func ExampleListener_Clone() {
	done := errors.New("done")
	_ = asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, i int) error {
		if i == 1 {
			return asyncio.Sleep(ctx, asyncio.Forever)
		}
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0", aionet.WithReusePort())
		if err != nil {
			return err
		}
		other, err := asyncio.CallOn(ctx, asyncio.Loops(ctx)[1], ln.Clone)
		if err != nil {
			return err
		}
		fmt.Println("same address:", ln.Addr().String() == other.Addr().String())
		return done
	})
	// Output: same address: true
}
