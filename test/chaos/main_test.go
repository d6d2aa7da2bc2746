package chaos

import (
	"os"
	"testing"

	"github.com/rota-scheduler/rota/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.MainApart(m)) }
