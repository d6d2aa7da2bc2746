package agent

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

func valid() Config {
	return Config{
		Name: "n1", DataDir: "/data", Bind: "127.0.0.1",
		HTTPPort: DefaultHTTPPort, RPCPort: DefaultRPCPort, GossipPort: DefaultGossipPort,
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(c *Config)
		says  []string
	}{
		{"bad name", func(c *Config) { c.Name = "a b" }, []string{"--name"}},
		{"no data dir", func(c *Config) { c.DataDir = "" }, []string{"--data-dir", "--dev"}},
		{"no address", func(c *Config) { c.Bind = "localhost" }, []string{"--bind", `"localhost"`, "IP"}},
		{"listens everywhere", func(c *Config) { c.Bind = "0.0.0.0" }, []string{"--advertise"}},
		{"advertises everywhere", func(c *Config) { c.Advertise = "::" }, []string{"--advertise"}},
		{"advertises a name", func(c *Config) { c.Advertise = "host" }, []string{"--advertise", `"host"`}},
		{"no port", func(c *Config) { c.HTTPPort = 0 }, []string{"--http-port", "0"}},
		{"no such port", func(c *Config) { c.GossipPort = 65536 }, []string{"--gossip-port", "65536"}},
		{"too many founders", func(c *Config) { c.BootstrapExpect = 6 }, []string{"--bootstrap-expect", "6"}},
		{"negative founders", func(c *Config) { c.BootstrapExpect = -1 }, []string{"--bootstrap-expect"}},
		{"output that goes at once", func(c *Config) { c.OutputMaxAge = time.Second }, []string{"--output-max-age", "1s", "1m0s"}},
		{"output kept for less than no time", func(c *Config) { c.OutputMaxAge = -1 }, []string{"--output-max-age"}},
		{"no room for output", func(c *Config) { c.OutputMaxSize = 1 << 10 }, []string{"--output-max-size", "1024"}},
		{"negative capacity", func(c *Config) { c.Capacity = -1 }, []string{"--capacity", "-1"}},
		{"too much capacity", func(c *Config) { c.Capacity = fsm.MaxWeight + 1 }, []string{"--capacity"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := valid()
			tt.spoil(&c)
			err := c.complete()
			if !errors.Is(err, ErrBadConfig) {
				t.Fatalf("error %v", err)
			}
			for _, word := range tt.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %s", err, word)
				}
			}
		})
	}
}

func TestConfigDefaults(t *testing.T) {
	c := valid()
	c.Name, c.DataDir = "", "relative"
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if c.Name != host || c.Advertise != c.Bind || c.Capacity != fsm.DefaultCapacity ||
		c.OutputMaxAge != 7*24*time.Hour || c.OutputMaxSize != 10<<30 || !filepath.IsAbs(c.DataDir) {
		t.Errorf("%+v", c)
	}
	if n := c.node("id", 3, "v1"); n.HTTPAddr != "127.0.0.1:7700" || n.RaftAddr != "127.0.0.1:7701" || n.Incarnation != 3 {
		t.Errorf("%+v", n)
	}
}

// load reads a file and flags as `rota agent` does.
func load(t *testing.T, file string, args ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent.conf")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var c Config
	cmd := Command("test")
	flags := cmd.Flags()
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c, c.loadFile(path, flags)
}

func TestConfigFile(t *testing.T) {
	const file = `
name             = "from-file"
data_dir         = "/srv/rota"
http_port        = 8700
join             = ["10.0.0.1", "10.0.0.2:7702"]
bootstrap_expect = 3
labels           = { disk = "ssd" }
capacity         = 50
leave_on_stop    = true
output_max_age   = "36h"
output_max_size  = "512MiB"
`
	c, err := load(t, file, "--name", "from-flag", "--capacity", "70")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "" || c.Capacity != 0 { // the flags hold these; the file must not
		t.Errorf("the file won over a flag: %+v", c)
	}
	if c.DataDir != "/srv/rota" || c.HTTPPort != 8700 || c.BootstrapExpect != 3 || !c.LeaveOnStop || c.OutputMaxAge != 36*time.Hour || c.OutputMaxSize != 512<<20 ||
		!slices.Equal(c.Join, []string{"10.0.0.1", "10.0.0.2:7702"}) || !maps.Equal(c.Labels, map[string]string{"disk": "ssd"}) {
		t.Errorf("%+v", c)
	}
	c, err = load(t, file, "--join", "10.9.9.9", "--label", "a=b", "--output-max-age", "1h", "--output-max-size", "1GiB")
	if err != nil || c.Join != nil || c.Labels != nil || c.OutputMaxAge != 0 || c.OutputMaxSize != 0 {
		t.Errorf("the file won over a list of flags: %+v, %v", c, err)
	}
}

func TestConfigFileErrors(t *testing.T) {
	for name, tt := range map[string]struct{ file, says string }{
		"unknown attribute": {"name = \"n1\"\nnmae = \"n1\"\n", "agent.conf:2"},
		"wrong type":        {"\n\nhttp_port = \"many\"\n", "agent.conf:3"},
		"no span":           {"output_max_age = \"7d\"\n", "output_max_age"},
		"no size":           {"output_max_size = \"10 GB\"\n", "output_max_size: \"10 GB\" is not a size"},
		"no span to drain":  {"drain = \"long\"\n", "drain"},
		"syntax":            {"name = \n", "agent.conf:1"},
		"too large":         {strings.Repeat("#", maxConfigFile+1), "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tt.file)
			if !errors.Is(err, ErrBadConfig) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one that says %s", err, tt.says)
			}
		})
	}
	var c Config
	if err := c.loadFile(filepath.Join(t.TempDir(), "none"), Command("test").Flags()); !errors.Is(err, ErrBadConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// The command refuses what it cannot use before it touches anything.
func TestCommandRefusesABadConfiguration(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{},
		{"--data-dir", dir, "--bind", "nowhere"},
		{"--data-dir", dir, "--log-level", "loud"},
		{"--data-dir", dir, "--config", filepath.Join(dir, "none")},
	} {
		cmd := Command("test")
		cmd.SetArgs(args)
		cmd.SetOut(&bytes.Buffer{})
		cmd.SetErr(&bytes.Buffer{})
		if err := cmd.ExecuteContext(context.Background()); !errors.Is(err, ErrBadConfig) {
			t.Errorf("%v: error %v", args, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}
