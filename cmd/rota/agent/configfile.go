package agent

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/spf13/pflag"

	"github.com/rota-scheduler/rota/scheduling/jobspec"
)

// maxConfigFile bounds a configuration file.
const maxConfigFile = 1 << 20

// configFile is the agent's configuration file; every attribute has the name of
// its flag.
type configFile struct {
	Name            *string           `hcl:"name"`
	DataDir         *string           `hcl:"data_dir"`
	Bind            *string           `hcl:"bind"`
	Advertise       *string           `hcl:"advertise"`
	HTTPPort        *int              `hcl:"http_port"`
	RPCPort         *int              `hcl:"rpc_port"`
	GossipPort      *int              `hcl:"gossip_port"`
	Join            []string          `hcl:"join,optional"`
	BootstrapExpect *int              `hcl:"bootstrap_expect"`
	Region          *string           `hcl:"region"`
	Zone            *string           `hcl:"zone"`
	Labels          map[string]string `hcl:"labels,optional"`
	Capacity        *string           `hcl:"capacity"`
	LogLevel        *string           `hcl:"log_level"`
	OutputMaxAge    *string           `hcl:"output_max_age"`
	OutputMaxSize   *string           `hcl:"output_max_size"`
	LeaveOnStop     *bool             `hcl:"leave_on_stop"`
	Drain           *string           `hcl:"drain"`
}

// loadFile reads an HCL file into the configuration. What was given as a flag
// wins over the file.
func (c *Config) loadFile(path string, flags *pflag.FlagSet) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: --config: %w", ErrBadConfig, err)
	}
	if info.Size() > maxConfigFile {
		return fmt.Errorf("%w: --config %s has %d bytes, at most %d are read", ErrBadConfig, path, info.Size(), maxConfigFile)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: --config: %w", ErrBadConfig, err)
	}
	var f configFile
	if err := decodeHCL(path, src, &f); err != nil {
		return fmt.Errorf("%w: --config %s: %w", ErrBadConfig, path, err)
	}
	given := flags.Changed
	take(&c.Name, f.Name, given("name"))
	take(&c.DataDir, f.DataDir, given("data-dir"))
	take(&c.Bind, f.Bind, given("bind"))
	take(&c.Advertise, f.Advertise, given("advertise"))
	take(&c.HTTPPort, f.HTTPPort, given("http-port"))
	take(&c.RPCPort, f.RPCPort, given("rpc-port"))
	take(&c.GossipPort, f.GossipPort, given("gossip-port"))
	take(&c.BootstrapExpect, f.BootstrapExpect, given("bootstrap-expect"))
	take(&c.Region, f.Region, given("region"))
	take(&c.Zone, f.Zone, given("zone"))
	if f.Capacity != nil && !given("capacity") {
		if err := (capacityFlag{&c.Capacity}).Set(*f.Capacity); err != nil {
			return fmt.Errorf("%w: --config %s: capacity = %w", ErrBadConfig, path, err)
		}
	}
	take(&c.LogLevel, f.LogLevel, given("log-level"))
	take(&c.LeaveOnStop, f.LeaveOnStop, given("leave-on-stop"))
	err = errors.Join(
		parse(&c.Drain, "drain", f.Drain, given("drain"), time.ParseDuration),
		parse(&c.OutputMaxAge, "output_max_age", f.OutputMaxAge, given("output-max-age"), time.ParseDuration),
		parse(&c.OutputMaxSize, "output_max_size", f.OutputMaxSize, given("output-max-size"), jobspec.ParseSize),
	)
	if err != nil {
		return fmt.Errorf("%w: --config %s: %w", ErrBadConfig, path, err)
	}
	if f.Join != nil && !given("join") {
		c.Join = f.Join
	}
	if f.Labels != nil && !given("label") {
		c.Labels = f.Labels
	}
	return nil
}

// decodeHCL reads src whatever the file is called; diagnostics name it as it is.
func decodeHCL(path string, src []byte, into any) error {
	file, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	if diags.HasErrors() {
		return diags
	}
	if diags := gohcl.DecodeBody(file.Body, nil, into); diags.HasErrors() {
		return diags
	}
	return nil
}

// parse is take for an attribute that is written as a text.
func parse[T any](to *T, name string, from *string, given bool, read func(string) (T, error)) error {
	if from == nil || given {
		return nil
	}
	value, err := read(*from)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*to = value
	return nil
}

// take copies an attribute that the file has and no flag overrides.
func take[T any](to *T, from *T, given bool) {
	if from != nil && !given {
		*to = *from
	}
}
