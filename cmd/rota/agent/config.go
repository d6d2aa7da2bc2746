package agent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Default ports.
const (
	DefaultHTTPPort   = 7700
	DefaultRPCPort    = 7701
	DefaultGossipPort = 7702
)

// maxDrain bounds --drain.
const maxDrain = 24 * time.Hour

// ErrBadConfig: the flags or the configuration file cannot be used as they are.
var ErrBadConfig = errors.New("bad configuration")

// Config describes a node as its operator does.
type Config struct {
	Name            string
	DataDir         string
	Bind            string
	Advertise       string
	HTTPPort        int
	RPCPort         int
	GossipPort      int
	Join            []string
	BootstrapExpect int
	Region, Zone    string
	Labels          map[string]string
	Capacity        int
	LogLevel        string
	// OutputMaxAge and OutputMaxSize (bytes) bound the output that is kept here.
	OutputMaxAge  time.Duration
	OutputMaxSize int64
	// LeaveOnStop: stopping this agent takes it out of the cluster.
	LeaveOnStop bool
	// Drain is how long a node that is told to stop lets its work run on.
	Drain time.Duration
	// Dev: one node that is a cluster by itself, its data in a temporary folder.
	Dev bool
}

// complete fills in defaults and refuses what cannot work.
func (c *Config) complete() error {
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("%w: no host name to take as --name: %w", ErrBadConfig, err)
		}
		c.Name = host
	}
	if err := fsm.CheckName(c.Name); err != nil {
		return fmt.Errorf("%w: --name: %w", ErrBadConfig, err)
	}
	if c.DataDir == "" {
		return fmt.Errorf("%w: --data-dir is missing: give the folder for this node's state, or --dev for a throw-away node", ErrBadConfig)
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("%w: --data-dir: %w", ErrBadConfig, err)
	}
	c.DataDir = dir
	if err := c.completeAddresses(); err != nil {
		return err
	}
	if c.BootstrapExpect < 0 || c.BootstrapExpect > 5 {
		return fmt.Errorf("%w: --bootstrap-expect %d: want the number of nodes that found the cluster, 1 to 5, or 0 to join one", ErrBadConfig, c.BootstrapExpect)
	}
	if c.Drain < 0 || c.Drain > maxDrain {
		return fmt.Errorf("%w: --drain %s: want a span from 0 to %s", ErrBadConfig, c.Drain, maxDrain)
	}
	if err := c.completeOutput(); err != nil {
		return err
	}
	switch c.Capacity {
	case 0:
		c.Capacity = fsm.DefaultCapacity
	case AutoCapacity:
		total, _ := memory()
		c.Capacity = autoCapacity(runtime.NumCPU(), total)
	}
	if c.Capacity < 1 || c.Capacity > fsm.MaxWeight {
		return fmt.Errorf("%w: --capacity %d: want 1 to %d", ErrBadConfig, c.Capacity, fsm.MaxWeight)
	}
	return nil
}

func (c *Config) completeAddresses() error {
	ip := net.ParseIP(c.Bind)
	if ip == nil {
		return fmt.Errorf("%w: --bind %q: want an IP address of this machine", ErrBadConfig, c.Bind)
	}
	if c.Advertise == "" {
		if ip.IsUnspecified() {
			return fmt.Errorf("%w: --bind %s listens everywhere: --advertise must name the IP address that the others reach", ErrBadConfig, c.Bind)
		}
		c.Advertise = c.Bind
	}
	if adv := net.ParseIP(c.Advertise); adv == nil || adv.IsUnspecified() {
		return fmt.Errorf("%w: --advertise %q: want an IP address that the others reach", ErrBadConfig, c.Advertise)
	}
	for _, addr := range c.Join {
		if net.ParseIP(addr) != nil {
			continue
		}
		if _, err := netip.ParseAddrPort(addr); err != nil {
			return fmt.Errorf("%w: --join %q: want an IP address of a member, or IP:port of its gossip", ErrBadConfig, addr)
		}
	}
	for flag, port := range map[string]int{"--http-port": c.HTTPPort, "--rpc-port": c.RPCPort, "--gossip-port": c.GossipPort} {
		if port < 1 || port > 65535 {
			return fmt.Errorf("%w: %s %d: want 1 to 65535", ErrBadConfig, flag, port)
		}
	}
	return nil
}

func (c *Config) address(ip string, port int) string { return net.JoinHostPort(ip, strconv.Itoa(port)) }

func (c *Config) httpAddr() string { return c.address(c.Advertise, c.HTTPPort) }
func (c *Config) raftAddr() string { return c.address(c.Advertise, c.RPCPort) }

// node returns what this node says of itself to the cluster.
func (c *Config) node(id string, incarnation uint64, version string) fsm.Node {
	return fsm.Node{
		ID: id, Name: c.Name, Incarnation: incarnation, HTTPAddr: c.httpAddr(), RaftAddr: c.raftAddr(),
		Region: c.Region, Zone: c.Zone, Labels: c.Labels, Capacity: c.Capacity,
		OS: runtime.GOOS, Arch: runtime.GOARCH,
		Version: version, Status: fsm.NodeReady,
	}
}
