package transport

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

func newLayer(t *testing.T, mod func(*StreamConfig)) *StreamLayer {
	t.Helper()
	cfg := StreamConfig{Listener: listen(t), Logger: testLogger()}
	if mod != nil {
		mod(&cfg)
	}
	s, err := NewStreamLayer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func dialLayer(t *testing.T, from, to *StreamLayer) net.Conn {
	t.Helper()
	c, err := from.Dial(raft.ServerAddress(to.Addr().String()), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ended waits for the end of a connection and returns what came before it.
func ended(t *testing.T, c net.Conn) []byte {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		t.Fatal("connection stays open")
	}
	return b
}

func echoOnce(t *testing.T, server, client *StreamLayer) {
	t.Helper()
	out := dialLayer(t, client, server)
	if _, err := out.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	in, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	buf := make([]byte, 5)
	if _, err := io.ReadFull(in, buf); err != nil || string(buf) != "hello" {
		t.Fatalf("read %q: %v", buf, err)
	}
}

func TestStreamPlain(t *testing.T) { echoOnce(t, newLayer(t, nil), newLayer(t, nil)) }

func TestStreamMutualTLS(t *testing.T) {
	a := newAuthority(t)
	with := func(a *authority) *StreamLayer {
		return newLayer(t, func(c *StreamConfig) { c.ServerTLS, c.ClientTLS = a.mutual(t) })
	}
	server := with(a)
	echoOnce(t, server, with(a))

	stranger := with(newAuthority(t))
	if c, err := stranger.Dial(raft.ServerAddress(server.Addr().String()), patience); err == nil {
		c.Close()
		t.Error("a stranger's certificate was taken")
	}
	plain := dialLayer(t, newLayer(t, nil), server)
	ended(t, plain)
}

func TestStreamNeedsBothTLS(t *testing.T) {
	if _, err := NewStreamLayer(StreamConfig{Listener: listen(t), Logger: testLogger(), ServerTLS: &tls.Config{}}); err == nil {
		t.Error("half of a TLS configuration was taken")
	}
}

func TestStreamRefusesWrongTraffic(t *testing.T) {
	logs := &logBuffer{}
	s := newLayer(t, func(c *StreamConfig) { c.Logger = slogTo(logs) })
	for name, sent := range map[string]string{
		"http":        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"other proto": "rota-raft/2\nxxxxxxxx",
		"zeros":       strings.Repeat("\x00", 64),
		"msgpack":     "\x00\xdd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, sent); err != nil {
				t.Fatal(err)
			}
			if got := ended(t, c); len(got) != 0 {
				t.Errorf("answered %q", got)
			}
		})
	}
	// None of it came through: the next connection accepted is a good one.
	echoOnce(t, s, newLayer(t, nil))
	if !strings.Contains(logs.String(), "this is the raft port") {
		t.Errorf("log says nothing useful: %s", logs)
	}
}

func TestStreamDropsSilent(t *testing.T) {
	s := newLayer(t, func(c *StreamConfig) { c.PrefaceTimeout = 30 * time.Millisecond })
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ended(t, c)
}

func TestStreamBoundsConnections(t *testing.T) {
	s := newLayer(t, func(c *StreamConfig) { c.MaxConns = 2 })
	from := newLayer(t, nil)
	first := dialLayer(t, from, s)
	dialLayer(t, from, s)
	in, err := s.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ended(t, dialLayer(t, from, s))

	in.Close() // makes room
	second.Close()
	first.Close()
	echoOnce(t, s, from)
}

func TestStreamCloseClosesAccepted(t *testing.T) {
	s := newLayer(t, nil)
	out := dialLayer(t, newLayer(t, nil), s)
	if _, err := s.Accept(); err != nil {
		t.Fatal(err)
	}
	half, err := net.Dial("tcp", s.Addr().String()) // has not said anything yet
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ended(t, out)
	ended(t, half)
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	if _, err := s.Dial("127.0.0.1:1", patience); err == nil {
		t.Error("dial after close")
	}
}

// A sender that knows the preface may declare any length; raft's decoder must
// allocate only as bytes arrive.
func TestRaftDecoderOnHugeLengths(t *testing.T) {
	s := newLayer(t, nil)
	tr := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: s, MaxPool: 1, Timeout: time.Second, MaxRPCsInFlight: 1, Logger: hclog.NewNullLogger(),
	})
	defer tr.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, msg := range [][]byte{
		// AppendEntries {"Entries": array of 2^32-1, "Leader": 4 GiB of bytes}
		append([]byte{0, 0x82, 0xa7}, "Entries\xdd\xff\xff\xff\xff"...),
		append([]byte{0, 0x81, 0xa6}, "Leader\xc6\xff\xff\xff\xff"...),
		append([]byte{0, 0xdf, 0xff, 0xff, 0xff, 0xff}, bytes.Repeat([]byte{0x91}, 4096)...),
	} {
		c := dialLayer(t, newLayer(t, nil), s)
		if _, err := c.Write(msg); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		ended(t, c)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("a few hundred bytes made the decoder allocate %d MiB", grown>>20)
	}
}
