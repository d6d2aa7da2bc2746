// Package e2e tests the program as a user has it: real agents on loopback, the
// real command line, and jobs whose processes write down when they ran.
//
// Tests that load the machine or judge how fast the cluster is run alone; those
// that mostly wait run beside each other.
package e2e

import (
	"os"
	"testing"

	"github.com/rota-scheduler/rota/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }
