package supervisor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// TestGarbage: whatever arrives, the socket is closed and nothing else happens.
func TestGarbage(t *testing.T) {
	frame := func(size uint32, body string) string {
		return string(binary.BigEndian.AppendUint32(nil, size)) + body
	}
	for name, bytes := range map[string]string{
		"text":       "GET / HTTP/1.1\r\n\r\n",
		"huge":       frame(maxRequest+1, ""),
		"no object":  frame(2, "[]"),
		"not JSON":   frame(3, "{{{"),
		"empty":      frame(0, ""),
		"wrong type": frame(16, `{"id":"a string"`),
	} {
		t.Run(name, func(t *testing.T) {
			p, conn := newSession(t, time.Hour)
			defer conn.Close()
			if err := p.manager.Start(t.Context(), shell("job", "exec sleep 300")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, bytes); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Logf("closed with %v", err) // a reset is as good as an end
			}
			if list, _ := p.manager.List(t.Context()); len(list) != 1 || list[0].State != proc.Running {
				t.Errorf("the job is touched: %+v", list)
			}
		})
	}
}

func FuzzRequests(f *testing.F) {
	for _, op := range []string{opHello, opStart, opKill, opContact, opDecline, opForget, opUsage, opCancel, "future"} {
		f.Add([]byte(fmt.Sprintf(`{"id":1,"op":%q}`, op)))
	}
	f.Add([]byte(`{"id":1,"op":"start","start":{"id":"a"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if strings.Contains(string(body), `"argv"`) || len(body) > 1<<16 {
			t.Skip() // starts programs
		}
		p, conn := newSession(t, time.Hour)
		frame := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		if _, err := conn.Write(append(frame, body...)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		p.endSession()
	})
}

// fakeSupervisor answers requests as it is told.
func fakeSupervisor(t *testing.T, answer func(request) reply) net.Conn {
	t.Helper()
	ours, agents := sockets(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		frames := newFrameReader(ours, maxRequest)
		for {
			var req request
			if frames.read(&req) != nil {
				return
			}
			r := answer(req)
			r.ID = req.ID
			frame, err := encodeFrame(r, maxReply)
			if err != nil {
				t.Error(err)
			}
			if _, err := ours.Write(frame); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		ours.Close()
		<-done
	})
	return agents
}

func TestVersionSkew(t *testing.T) {
	unsupported := reply{Code: codeOf(ErrUnsupported), Text: "what?"}
	for name, c := range map[string]struct {
		hello reply
		want  error
	}{
		"too old":        {reply{Host: &Host{Version: oldestSupervisor - 1}}, ErrTooOld},
		"knows no hello": {unsupported, ErrTooOld},
		"old enough":     {reply{Host: &Host{Version: oldestSupervisor}}, nil},
		"newer":          {reply{Host: &Host{Version: Version + 5}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			conn := fakeSupervisor(t, func(req request) reply {
				if req.Op == opHello {
					return c.hello
				}
				return unsupported
			})
			client, err := NewClient(t.Context(), conn, Options{Logger: testLog(t), OnLost: func(error) {}})
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			defer client.Disconnect()
			if err := client.Ready(t.Context()); err != nil {
				t.Errorf("ready: %v", err)
			}
			if err := client.Contact(t.Context(), 1); !errors.Is(err, ErrUnsupported) {
				t.Errorf("contact: %v", err)
			}
			if _, err := client.Usage(t.Context()); !errors.Is(err, ErrUnsupported) {
				t.Errorf("usage: %v", err)
			}
		})
	}
}

// TestUnknownRequestAndFields: what a newer agent adds does no harm here.
func TestUnknownRequestAndFields(t *testing.T) {
	p, conn := newSession(t, time.Hour)
	defer conn.Close()
	send := func(body string) reply {
		t.Helper()
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
			t.Fatal(err)
		}
		var r reply
		if err := newFrameReader(conn, maxReply).read(&r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := send(`{"id":1,"op":"teleport","to":"mars"}`); r.ID != 1 || r.Code != "unsupported" {
		t.Errorf("got %+v", r)
	}
	if r := send(`{"id":2,"op":"decline","attempt":"a","colour":"red","start":null}`); r.ID != 2 || r.Code != "" {
		t.Errorf("got %+v", r)
	}
	if list, _ := p.manager.List(t.Context()); len(list) != 1 {
		t.Errorf("list %+v", list)
	}
}
