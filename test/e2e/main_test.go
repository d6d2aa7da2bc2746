// Package e2e tests the program as a user has it: real agents on loopback, the
// real command line, and jobs whose processes write down when they ran.
package e2e

import (
	"os"
	"testing"

	"github.com/rota-scheduler/rota/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }
