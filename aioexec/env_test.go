package aioexec_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// theatre plays processes: there are none.
type theatre struct {
	did   []string
	ended func()
}

var errKilled = errors.New("killed")

func (p *theatre) processes() env.Processes {
	var killed error
	return env.Processes{
		Start: func(c *exec.Cmd) error {
			p.did = append(p.did, "start "+c.Path)
			c.Process = &os.Process{Pid: 42}
			return nil
		},
		Wait: func(*exec.Cmd) error {
			p.did = append(p.did, "wait")
			return killed
		},
		Watch: func(_ poller.Poller, _ *exec.Cmd, ended func()) (func(), error) {
			p.ended = ended
			return func() { p.did = append(p.did, "stop watching") }, nil
		},
		Signal: func(c *exec.Cmd, sig os.Signal, group bool) error {
			p.did = append(p.did, "signal "+sig.String())
			killed = errKilled
			p.ended()
			return nil
		},
	}
}

func TestEnvironment_startsProcesses(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(p *theatre, c *aioexec.Cmd) error
		want error
		did  []string
	}{
		"ends by itself": {
			end: func(p *theatre, _ *aioexec.Cmd) error { p.ended(); return nil },
			did: []string{"start /no/such/program", "stop watching", "wait"},
		},
		"killed": {
			end:  func(_ *theatre, c *aioexec.Cmd) error { return c.Kill() },
			want: errKilled,
			did:  []string{"start /no/such/program", "signal killed", "stop watching", "wait"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p theatre
			e := env.Real()
			e.Processes = p.processes()
			err := asyncio.Run(t.Context(), func(ctx context.Context) error {
				c := aioexec.Command("/no/such/program")
				if err := c.Start(ctx); err != nil {
					return err
				}
				if c.Process.Pid != 42 {
					t.Errorf("its number is %d", c.Process.Pid)
				}
				if err := test.end(&p, c); err != nil {
					return err
				}
				return c.Wait(ctx)
			}, engine.WithEnv(e).(asyncio.Option))
			if !errors.Is(err, test.want) || !slices.Equal(p.did, test.did) {
				t.Errorf("the error is %v, want %v; it did %q, want %q", err, test.want, p.did, test.did)
			}
		})
	}
}
