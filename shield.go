package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// Shield runs fn with a context that ctx's cancellation does not reach, for
// clean-up that has to wait and for what must not stop half-way. The values of
// ctx stay. Shield returns when fn does; if ctx was cancelled meanwhile, the
// next wait under ctx reports it.
//
// Only the end of the loop ends what is shielded.
func Shield(ctx context.Context, fn func(ctx context.Context) error) error {
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	s := &engine.Scope{}
	s.Open(p.Loop(), p.Task(), context.WithoutCancel(ctx))
	defer s.Close()
	return p.Within(s.Ctx(), fn)
}

// Enter runs fn with ctx as the innermost block of the running task, so that
// what takes no context, like a net.Conn, obeys ctx, too. ctx is one of the
// running task's, such as that of an http.Request, or derived from one.
func Enter(ctx context.Context, fn func() error) error {
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	return p.Within(ctx, func(context.Context) error { return fn() })
}
