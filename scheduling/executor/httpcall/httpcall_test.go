package httpcall

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve returns a server and a client, both gone at the end of the test.
func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *Client) {
	t.Helper()
	s := httptest.NewServer(h)
	c := New()
	t.Cleanup(func() {
		c.Close()
		s.CloseClientConnections()
		s.Close()
	})
	return s, c
}

func TestOutcomes(t *testing.T) {
	s, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err != nil {
			status = 400
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "answer %d", status)
	})
	tests := []struct {
		path     string
		expected []string
		outcome  Outcome
		text     string
	}{
		{"/200", nil, Succeeded, ""},
		{"/204", nil, Succeeded, ""},
		{"/503", nil, Failed, "HTTP 503 from " + s.URL + "/503: expected 2xx"},
		{"/404", []string{"200", "404"}, Succeeded, ""},
		{"/405", []string{"200", "404"}, Failed, "HTTP 405 from " + s.URL + "/405: expected 200, 404"},
		{"/418", []string{"400-420"}, Succeeded, ""},
		{"/421", []string{"400-420"}, Failed, "HTTP 421 from " + s.URL + "/421: expected 400-420"},
		{"/304", []string{"3xx"}, Succeeded, ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			r := c.Do(t.Context(), Call{URL: s.URL + tt.path, ExpectedStatus: tt.expected})
			if r.Outcome != tt.outcome || r.Error != tt.text || fmt.Sprintf("/%d", r.Status) != tt.path {
				t.Errorf("result %+v, want %+v", r, tt)
			}
		})
	}
}

func TestRequestAsGiven(t *testing.T) {
	got := make(chan string, 1)
	s, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got <- fmt.Sprintf("%s %s %s %s %s %v", r.Method, r.Host, r.Header.Get("X-Fence"), r.Header.Get("Content-Type"), body, err)
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	call := Call{
		Method: "put", URL: s.URL, Body: []byte("payload"),
		Headers: map[string]string{"X-Fence": "7", "Content-Type": "text/plain", "Host": "job.example"},
	}
	for range 2 {
		if r := c.Do(t.Context(), call); r.Outcome != Succeeded {
			t.Fatalf("result %+v", r)
		}
		if diff := cmp.Diff("PUT job.example 7 text/plain payload <nil>", <-got); diff != "" {
			t.Error(diff)
		}
	}
}

// A proxy of the environment is not for jobs, and a cookie not for the next one.
func TestNoProxyNoCookies(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	s, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) > 0 {
			w.WriteHeader(http.StatusTeapot)
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	for range 2 {
		if r := c.Do(t.Context(), Call{URL: s.URL}); r.Outcome != Succeeded {
			t.Errorf("result %+v", r)
		}
	}
	if c.transport.Proxy != nil { // net/http never uses a proxy for loopback addresses
		t.Error("the client would use a proxy")
	}
}

func TestBodyIsBounded(t *testing.T) {
	for size, want := range map[int]Result{
		0:                 {Outcome: Succeeded, Status: 200},
		TailBytes:         {Outcome: Succeeded, Status: 200, BodyBytes: TailBytes},
		TailBytes + 1:     {Outcome: Succeeded, Status: 200, BodyBytes: TailBytes + 1, Truncated: true},
		MaxBody:           {Outcome: Succeeded, Status: 200, BodyBytes: MaxBody, Truncated: true},
		MaxBody + 1000000: {Outcome: Succeeded, Status: 200, BodyBytes: MaxBody, Truncated: true},
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s, c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				body := strings.Repeat("x", min(size, MaxBody))
				if len(body) > 0 {
					body = body[:len(body)-1] + "!"
				}
				_, _ = io.WriteString(w, body+strings.Repeat("y", max(0, size-MaxBody)))
			})
			r := c.Do(t.Context(), Call{URL: s.URL})
			tail := string(r.Tail)
			if len(tail) != min(size, TailBytes) || size > 0 && tail[len(tail)-1] != '!' {
				t.Errorf("tail of %d bytes ends in %q", len(tail), tail[max(0, len(tail)-3):])
			}
			r.Tail = nil
			if diff := cmp.Diff(want, r); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An endless body neither fills memory nor holds the call up.
func TestEndlessBody(t *testing.T) {
	s, c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	})
	if r := c.Do(t.Context(), Call{URL: s.URL, Timeout: time.Minute}); r.Outcome != Succeeded || r.BodyBytes != MaxBody {
		t.Errorf("outcome %s, %d bytes, %s", r.Outcome, r.BodyBytes, r.Error)
	}
}

func TestRedirects(t *testing.T) {
	var seen atomic.Pointer[http.Request]
	other, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen.Store(r) })
	s, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var n, status int
		switch _, err := fmt.Sscanf(r.URL.Path, "/%d/%d", &n, &status); {
		case r.URL.Path == "/away":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case err != nil || n == 0:
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s%s", r.Method, body, r.Header.Get("X-Key"), r.Referer())
		default:
			http.Redirect(w, r, fmt.Sprintf("/%d/%d", n-1, status), status)
		}
	})
	call := func(path string) Call {
		return Call{Method: "POST", URL: s.URL + path, Body: []byte("b"), Headers: map[string]string{"X-Key": "secret", "Content-Type": "text/x"}}
	}
	for path, want := range map[string]string{
		"/0/0": "POST b secret", "/1/303": "GET  secret", "/1/302": "GET  secret", "/5/307": "POST b secret", "/2/308": "POST b secret",
	} {
		if r := c.Do(t.Context(), call(path)); r.Outcome != Succeeded || string(r.Tail) != want {
			t.Errorf("%s: %+v %q, want %q", path, r, r.Tail, want)
		}
	}
	r := c.Do(t.Context(), call("/6/307"))
	if want := "stopped after 5 redirects"; r.Outcome != Failed || !strings.Contains(r.Error, want) {
		t.Errorf("result %+v, want %q", r, want)
	}
	if r := c.Do(t.Context(), call("/away")); r.Outcome != Succeeded {
		t.Fatalf("result %+v", r)
	}
	if h := seen.Load().Header; h.Get("X-Key") != "" || h.Get("Content-Type") != "text/x" || h.Get("Referer") != "" {
		t.Errorf("another host was sent %v", h)
	}
}

func TestTimeoutAndCancel(t *testing.T) {
	for name, handler := range map[string]func(http.ResponseWriter){
		"no answer":     func(http.ResponseWriter) {},
		"half a header": func(w http.ResponseWriter) { w.WriteHeader(200); _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan struct{}, 2)
			s, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				handler(w)
				arrived <- struct{}{}
				<-r.Context().Done()
			})
			if r := c.Do(t.Context(), Call{URL: s.URL, Timeout: 50 * time.Millisecond}); r.Outcome != Timeout ||
				r.Error != "GET "+s.URL+": no complete answer within 50ms" {
				t.Errorf("timeout: %+v", r)
			}
			<-arrived
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-arrived
				cancel()
			}()
			if r := c.Do(ctx, Call{URL: s.URL, Timeout: time.Minute}); r.Outcome != Cancelled || !strings.Contains(r.Error, "cancelled while waiting") {
				t.Errorf("cancelled: %+v", r)
			}
			if r := c.Do(ctx, Call{URL: s.URL}); r.Outcome != Cancelled || !strings.Contains(r.Error, "before it was sent") {
				t.Errorf("cancelled before: %+v", r)
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "SMTP here\r\n\r\n")
			conn.Close()
		}
	}()
	plain, c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "short")
	})
	self := httptest.NewUnstartedServer(http.NotFoundHandler())
	self.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about our refusal
	self.StartTLS()
	defer self.Close()
	for url, want := range map[string]string{
		"http://" + closed:                     "connection refused",
		"http://" + garbage.Addr().String():    "malformed HTTP",
		plain.URL:                              "read the body: unexpected EOF",
		self.URL:                               "certificate",
		"http://user:hunter2@" + closed + "/x": "http://user:xxxxx@" + closed + "/x: ",
	} {
		r := c.Do(t.Context(), Call{URL: url, Timeout: time.Minute})
		if r.Outcome != Failed || !strings.Contains(r.Error, want) || strings.Contains(r.Error, "hunter2") {
			t.Errorf("%s: %+v, want %q", url, r, want)
		}
	}
	garbage.Close()
	<-done
}

func TestBadCalls(t *testing.T) {
	c := New()
	defer c.Close()
	good := Call{URL: "http://127.0.0.1:1"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, call := range map[string]Call{
		"no url":       {},
		"relative":     {URL: "/x"},
		"scheme":       {URL: "ftp://127.0.0.1"},
		"no host":      {URL: "http://:80"},
		"bad url":      {URL: "http://u:hunter2@h:port"},
		"method":       {URL: good.URL, Method: "GE T"},
		"header name":  {URL: good.URL, Headers: map[string]string{"a b": "c"}},
		"header value": {URL: good.URL, Headers: map[string]string{"a": "b\r\nc: d"}},
		"status":       {URL: good.URL, ExpectedStatus: []string{"ok"}},
		"status 6xx":   {URL: good.URL, ExpectedStatus: []string{"6xx"}},
		"status 99":    {URL: good.URL, ExpectedStatus: []string{"99"}},
		"empty range":  {URL: good.URL, ExpectedStatus: []string{"299-200"}},
		"timeout":      {URL: good.URL, Timeout: -1},
	} {
		if err := call.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
		if r := c.Do(t.Context(), call); r.Outcome != StartFailed || r.Error == "" || strings.Contains(r.Error, "hunter2") {
			t.Errorf("%s: %+v, want a start failure", name, r)
		}
	}
}

func TestPasswordOfURLIsSent(t *testing.T) {
	s, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("u:p")) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	if r := c.Do(t.Context(), Call{URL: strings.Replace(s.URL, "//", "//u:p@", 1)}); r.Outcome != Succeeded {
		t.Errorf("result %+v", r)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") }))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := New()
	defer c.Close()
	for range 20 {
		if r := c.Do(t.Context(), Call{URL: s.URL}); r.Outcome != Succeeded {
			t.Fatal(r.Error)
		}
	}
	if n := opened.Load(); n > 2 {
		t.Errorf("%d connections for 20 calls one after the other", n)
	}
}

func FuzzCall(f *testing.F) {
	f.Add("GET", "http://127.0.0.1:1/", "a", "b", "2xx")
	f.Add("", "http://[::1", "\x00", "\n", "-")
	c := New()
	f.Cleanup(c.Close)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	f.Fuzz(func(t *testing.T, method, url, name, value, status string) {
		call := Call{Method: method, URL: url, Headers: map[string]string{name: value}, ExpectedStatus: []string{status}}
		r := c.Do(gone, call) // never sent
		if err := call.Check(); (err != nil) != (r.Outcome == StartFailed) {
			t.Errorf("Check: %v, but %+v", err, r)
		}
	})
}
