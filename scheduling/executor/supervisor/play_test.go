package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// The files by which a test talks with the processes it plays, all in one folder.
const (
	fileStarts    = "starts"     // requests to start, a line each
	fileAgents    = "agents"     // one line for each agent: pid and inode of its program
	fileAdopted   = "adopted"    // what an agent found running: id and pid
	fileStarted   = "started"    // ids, once their start was answered
	fileResults   = "results"    // results, JSON
	fileStatus    = "status"     // if it exists: agents end at once, with this status
	fileNoContact = "no-contact" // if it exists: no more contact
	fileHang      = "hang"       // if it exists: orders are not followed
	fileOrphan    = "orphan"     // pid of the child that an agent left behind
	fileWant      = "want-orphan"
)

// playSupervisor runs a supervisor over the folder.
func playSupervisor(dir string) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	millis := func(name string) time.Duration {
		n, _ := strconv.Atoi(os.Getenv(name))
		return time.Duration(n) * time.Millisecond
	}
	err := Run(context.Background(), Config{
		DataDir: filepath.Join(dir, "data"), Program: os.Getenv("SUPERVISOR_TEST_PROGRAM"), Args: os.Args[1:], Env: os.Environ(),
		StopAfter: millis("SUPERVISOR_TEST_STOP_AFTER"), StopLimit: millis("SUPERVISOR_TEST_STOP_LIMIT"),
		Signals: signals, Stdout: os.Stdout, Stderr: os.Stderr, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	var own interface{ ExitStatus() int }
	switch {
	case errors.As(err, &own):
		return own.ExitStatus()
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// player is a small agent: it starts what it is told, each once, and reports
// each result once.
type player struct {
	dir    string
	client *Client

	mu   sync.Mutex
	seen map[string]bool // started or reported, in any life
}

func playAgent(dir string) int {
	if b, err := os.ReadFile(filepath.Join(dir, fileStatus)); err == nil {
		status, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		note(dir, fileAgents, "refused")
		return status
	}
	ctx := context.Background()
	client, err := Connect(ctx, Options{
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), OnLost: func(error) { os.Exit(9) },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if callers, _ := strconv.Atoi(os.Getenv("SUPERVISOR_TEST_CALLERS")); callers > 0 {
		if err := playBusyAgent(dir, client, callers); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	p := &player{dir: dir, client: client, seen: make(map[string]bool)}
	if err := p.takeOver(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return p.run(ctx)
}

func note(dir, file, line string) {
	if err := appendLine(dir, file, line); err != nil {
		panic(err)
	}
}

func (p *player) has(file string) bool {
	_, err := os.Stat(filepath.Join(p.dir, file))
	return err == nil
}

func (p *player) takeOver(ctx context.Context) error {
	results, err := os.ReadFile(filepath.Join(p.dir, fileResults))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(results)) {
		var r proc.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return err
		}
		p.seen["result "+r.ID], p.seen[r.ID] = true, true
	}
	// Reporting calls the client, which its reader must not wait for.
	p.client.Deliver(func(r proc.Result) { go p.report(ctx, r) })
	list, err := p.client.List(ctx)
	if err != nil {
		return err
	}
	for _, st := range list {
		p.mu.Lock()
		p.seen[st.ID] = true
		p.mu.Unlock()
		if st.Result != nil {
			p.report(ctx, *st.Result)
		} else {
			note(p.dir, fileAdopted, fmt.Sprintf("%s %d", st.ID, st.PID))
		}
	}
	if p.has(fileWant) {
		child := exec.Command("sleep", "300")
		if err := child.Start(); err != nil {
			return err
		}
		note(p.dir, fileOrphan, fmt.Sprint(child.Process.Pid))
	}
	if err := p.client.Ready(ctx); err != nil {
		return err
	}
	info, err := os.Stat("/proc/self/exe")
	if err != nil {
		return err
	}
	note(p.dir, fileAgents, fmt.Sprintf("%d %d", os.Getpid(), info.Sys().(*syscall.Stat_t).Ino))
	return nil
}

func (p *player) report(ctx context.Context, r proc.Result) {
	p.mu.Lock()
	first := !p.seen["result "+r.ID]
	p.seen["result "+r.ID], p.seen[r.ID] = true, true
	if first {
		line, _ := json.Marshal(r)
		note(p.dir, fileResults, string(line))
	}
	p.mu.Unlock()
	if err := p.client.Forget(ctx, r.ID); err != nil && !errors.Is(err, ErrGone) {
		fmt.Fprintln(os.Stderr, "forget:", err)
	}
}

func (p *player) run(ctx context.Context) int {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		orders := p.client.Orders()
		if p.has(fileHang) {
			orders = nil
		}
		select {
		case o := <-orders:
			if o == Stop {
				limited, cancel := context.WithTimeout(ctx, 5*time.Second)
				defer cancel()
				if err := p.client.Close(limited); err != nil {
					fmt.Fprintln(os.Stderr, "close:", err)
				}
				p.reportAll(ctx)
			}
			p.client.Disconnect()
			return 0
		case <-tick.C:
			if !p.has(fileNoContact) {
				if err := p.client.Contact(ctx, proc.Mono()); err != nil {
					fmt.Fprintln(os.Stderr, "contact:", err)
				}
			}
			p.startAll(ctx)
		}
	}
}

func (p *player) reportAll(ctx context.Context) {
	list, err := p.client.List(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "list:", err)
	}
	for _, st := range list {
		if st.Result != nil {
			p.report(ctx, *st.Result)
		}
	}
}

func (p *player) startAll(ctx context.Context) {
	b, err := os.ReadFile(filepath.Join(p.dir, fileStarts))
	if err != nil {
		return
	}
	text, _, _ := cutLast(string(b))
	for _, line := range strings.Split(text, "\n") {
		var req proc.StartRequest
		if line == "" || json.Unmarshal([]byte(line), &req) != nil {
			continue
		}
		p.mu.Lock()
		known := p.seen[req.ID]
		p.seen[req.ID] = true
		p.mu.Unlock()
		if known {
			continue
		}
		req.ContactBase = proc.Mono()
		if err := p.client.Start(ctx, req); err != nil {
			fmt.Fprintln(os.Stderr, "start:", err)
			continue
		}
		note(p.dir, fileStarted, req.ID)
	}
}
