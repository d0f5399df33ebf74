package aiohttp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

const (
	// maxChunkWaste bounds, in bytes, what a peer may send around its data:
	// sizes and extensions beyond 16 bytes a chunk and twice the data.
	maxChunkWaste = 16 << 10

	// maxTrailerBytes bounds the header fields after a chunked body.
	maxTrailerBytes = 16 << 10
)

// chunks decodes a chunked body. The zero value is at the beginning of one.
type chunks struct {
	left    int64 // of the current chunk's data
	inChunk bool  // the current chunk's line end has not been read
	waste   int64
	trailer http.Header // of the body's end, when there was one
}

// read returns data of one or more chunks. It waits for the first byte only;
// io.EOF comes when the trailer has been consumed.
func (c *chunks) read(r *bufio.Reader, p []byte) (n int, err error) {
	for n < len(p) {
		if c.left == 0 {
			if n > 0 && !lineBuffered(r, c.inChunk) {
				return n, nil
			}
			if err := c.next(r); err != nil {
				return n, err
			}
		}
		part := p[n:]
		if int64(len(part)) > c.left {
			part = part[:c.left]
		}
		if n > 0 && r.Buffered() == 0 {
			return n, nil
		}
		m, err := r.Read(part)
		n += m
		c.left -= int64(m)
		if err != nil {
			return n, noEOF(err)
		}
	}
	return n, nil
}

// lineBuffered reports whether the next chunk's size can be read without
// waiting. inChunk says that the line end of the one before it comes first.
func lineBuffered(r *bufio.Reader, inChunk bool) bool {
	b, _ := r.Peek(r.Buffered())
	if inChunk {
		if len(b) < 2 {
			return false
		}
		b = b[2:]
	}
	if len(b) > 0 && b[0] == '0' { // the last one, which the trailer belongs to
		return bytes.Contains(b, []byte("\n\r\n"))
	}
	return bytes.IndexByte(b, '\n') >= 0
}

// next reads on to the next chunk's data, or to the end of the body.
func (c *chunks) next(r *bufio.Reader) error {
	if c.inChunk {
		end, err := r.Peek(2)
		if err != nil {
			return noEOF(err)
		}
		if string(end) != "\r\n" {
			return malformed("end of chunk", string(end))
		}
		r.Discard(2)
		c.inChunk = false
	}
	size, overhead, err := readChunkSize(r)
	if err != nil {
		return noEOF(err)
	}
	c.waste = max(0, c.waste+int64(overhead)-16-2*min(size, 1<<40))
	if c.waste > maxChunkWaste {
		return ProtocolError("chunked body has too little data for its overhead")
	}
	if size == 0 {
		return c.end(r)
	}
	c.left, c.inChunk = size, true
	return nil
}

// end reads the trailer. It returns io.EOF when the body is complete.
func (c *chunks) end(r *bufio.Reader) error {
	head, err := readHead(r, nil, maxTrailerBytes)
	if err == errHeadTooLarge {
		return ProtocolError(fmt.Sprintf("trailer exceeds %d bytes", maxTrailerBytes))
	}
	if err != nil {
		return noEOF(err)
	}
	if len(head) > 0 {
		if c.trailer, err = parseHeader(string(head)); err != nil {
			return err
		}
	}
	return io.EOF
}

// readChunkSize reads a line with a chunk's size; extensions are ignored.
func readChunkSize(r *bufio.Reader) (size int64, overhead int, err error) {
	line, err := r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return 0, 0, ProtocolError(fmt.Sprintf("chunk extension exceeds %d bytes", r.Size()))
	}
	if err != nil {
		return 0, 0, err
	}
	digits, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(";"))
	digits = bytes.TrimRight(digits, " \t")
	// A bare line feed, or a carriage return within the line, is read differently
	// by different programs: whoever sends one may be after that.
	if len(line) < 2 || bytes.IndexByte(line, '\r') != len(line)-2 || len(digits) > 16 {
		return 0, 0, malformed("chunk size", string(line))
	}
	n, err := strconv.ParseUint(string(digits), 16, 63)
	if err != nil {
		return 0, 0, malformed("chunk size", string(line))
	}
	return int64(n), len(line) + 2, nil
}

// noEOF is for where an end of the connection cuts something short.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
