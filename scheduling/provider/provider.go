package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Actions of a request.
const (
	actionAdd    = "add"
	actionRemove = "remove"
)

const (
	// maxAnswer bounds what is read of an answer, maxShown what an error repeats.
	maxAnswer = 64 << 10
	maxShown  = 400
	// drain is how long the output of a command that was killed is waited for.
	drain = time.Second
)

var (
	// ErrRefused: the other side did not do what was asked.
	ErrRefused = errors.New("provider refused")
	errUnknown = errors.New("no such provider")
)

// Provider is what the autoscaler asks.
type Provider struct {
	send func(ctx context.Context, r request) error
}

// request is one call. Its JSON is the body of the webhook.
type request struct {
	Action  string    `json:"action"`
	Request string    `json:"request"`
	Node    *nodeInfo `json:"node,omitempty"` // of a removal
}

type nodeInfo struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	HTTP string `json:"http"`
}

// New returns the provider that settings name.
func New(s *fsm.Autoscale) (*Provider, error) {
	switch s.Provider {
	case fsm.ProviderExec:
		return &Provider{func(ctx context.Context, r request) error { return runCommand(ctx, s.Command, r) }}, nil
	case fsm.ProviderWebhook:
		return &Provider{func(ctx context.Context, r request) error { return post(ctx, s.URL, r) }}, nil
	}
	return nil, fmt.Errorf("%w: %q", errUnknown, s.Provider)
}

// Add asks for one node more.
func (p *Provider) Add(ctx context.Context, name string) error {
	return p.send(ctx, request{Action: actionAdd, Request: name})
}

// Remove asks for a node to be stopped for good.
func (p *Provider) Remove(ctx context.Context, name string, n *fsm.Node) error {
	return p.send(ctx, request{Action: actionRemove, Request: name, Node: &nodeInfo{n.ID, n.Name, n.HTTPAddr}})
}

// runCommand runs the command in a process group of its own, without a shell.
func runCommand(ctx context.Context, argv []string, r request) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "ROTA_SCALE_ACTION="+r.Action, "ROTA_SCALE_REQUEST="+r.Request)
	if r.Node != nil {
		cmd.Env = append(cmd.Env, "ROTA_SCALE_NODE="+r.Node.Name, "ROTA_SCALE_NODE_ID="+r.Node.ID, "ROTA_SCALE_NODE_HTTP="+r.Node.HTTP)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = drain
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil // it left something behind that holds its output: that is its matter
	}
	return fmt.Errorf("%w: %s: %w: %s", ErrRefused, argv[0], err, shown(out.kept))
}

// tail keeps the end of what is written.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - maxShown; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// client follows no redirect: the request is for the URL that was set.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func post(ctx context.Context, url string, r request) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding a request to a provider: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", r.Request)
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%w: %s: %s", ErrRefused, resp.Status, shown(answer))
	}
	if err != nil {
		return fmt.Errorf("%w: reading the answer: %w", ErrRefused, err)
	}
	return nil
}

func shown(text []byte) string {
	return strings.ToValidUTF8(string(bytes.TrimSpace(text[max(0, len(text)-maxShown):])), "?")
}
