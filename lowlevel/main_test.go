package lowlevel_test

import (
	"testing"

	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
