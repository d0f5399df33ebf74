// Command tlsfair measures what a polite client of a TLS line echo waits for its answers while others send lines and read
// their answers as fast as they can. It is run by hand:
//
//	cd bench && go run ./manual/tlsfair -attackers 2
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"slices"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func main() {
	attackers := flag.Int("attackers", 2, "how many clients send without a pause")
	plain := flag.Bool("plain", false, "without TLS")
	lasting := flag.Duration("for", 5*time.Second, "how long")
	flag.Parse()
	addr := make(chan string)
	go serve(addr, *plain)
	dial := dialer(<-addr, *plain)
	for range *attackers {
		go attack(dial())
	}
	report(ask(dial(), *lasting))
}

// serve is the echo, on one loop.
func serve(addr chan<- string, plain bool) {
	log.Fatal(asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := listen(ctx, plain)
		if err != nil {
			return err
		}
		addr <- ln.Addr().String()
		return aionet.Serve(ctx, ln, func(ctx context.Context, c net.Conn) error {
			r := bufio.NewReader(c)
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return nil
				}
				if _, err := c.Write(line); err != nil {
					return nil
				}
			}
		})
	}))
}

func listen(ctx context.Context, plain bool) (*aionet.Listener, error) {
	if plain {
		return aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	return aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate()}})
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func dialer(addr string, plain bool) func() net.Conn {
	return func() net.Conn {
		c, err := net.Dial("tcp", addr)
		check(err)
		if plain {
			return c
		}
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
}

// attack sends short lines in full records, and takes every answer.
func attack(c net.Conn) {
	go io.Copy(io.Discard, c)
	lines := bytes.Repeat([]byte("x\n"), 8<<10)
	for {
		if _, err := c.Write(lines); err != nil {
			return
		}
	}
}

// ask sends a line now and then, and returns how long each answer took.
func ask(c net.Conn, lasting time.Duration) (took []time.Duration) {
	r := bufio.NewReader(c)
	for end := time.Now().Add(lasting); time.Now().Before(end); {
		start := time.Now()
		_, err := c.Write([]byte("hello\n"))
		check(err)
		_, err = r.ReadString('\n')
		check(err)
		took = append(took, time.Since(start))
		time.Sleep(2 * time.Millisecond)
	}
	return took
}

func report(took []time.Duration) {
	slices.Sort(took)
	at := func(share float64) time.Duration { return took[int(share*float64(len(took)-1))] }
	fmt.Printf("%d answers: median %v, p99 %v, longest %v\n", len(took), at(0.5), at(0.99), at(1))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
