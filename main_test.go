package asyncio_test

import (
	"os"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

// fifo is for tests that say who runs after whom: chaos (ASYNCIO_CHAOS) leaves them
// alone.
var fifo = asyncio.WithChaos(0)

// childEnv names what this test binary is to do when a test has started it as a
// process of its own.
const childEnv = "ASYNCIO_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		children[name]()
		return
	}
	leakcheck.Main(m)
}

// children are programs that tests run as processes of their own.
var children = map[string]func(){}
