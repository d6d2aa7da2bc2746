package supervisor

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

const (
	headerBytes = 4
	bufferBytes = 32 << 10
	// keptBuffer is the most that a reader or writer keeps between two frames.
	keptBuffer = 256 << 10
)

// frameReader reads frames; it is not safe for concurrent use.
type frameReader struct {
	r     *bufio.Reader
	limit int
	buf   []byte
}

func newFrameReader(r io.Reader, limit int) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, bufferBytes), limit: limit}
}

// read decodes the next frame into v. Errors: io.EOF between two frames,
// ErrProtocol, I/O.
func (f *frameReader) read(v any) error {
	var header [headerBytes]byte
	if _, err := io.ReadFull(f.r, header[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(header[:])
	if uint64(size) > uint64(f.limit) {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrProtocol, size, f.limit)
	}
	if cap(f.buf) < int(size) || cap(f.buf) > keptBuffer {
		f.buf = make([]byte, size)
	}
	f.buf = f.buf[:size]
	if _, err := io.ReadFull(f.r, f.buf); err != nil {
		return err
	}
	if err := json.Unmarshal(f.buf, v); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return nil
}

// encodeFrame returns v as one frame.
func encodeFrame(v any, limit int) ([]byte, error) {
	var buf bytes.Buffer
	buf.Write(make([]byte, headerBytes))
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	b := buf.Bytes()
	size := len(b) - headerBytes
	if size > limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrProtocol, size, limit)
	}
	binary.BigEndian.PutUint32(b, uint32(size)) //nolint:gosec // bounded by limit
	return b, nil
}
