package crawl

import (
	"context"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// backlogLinks is how many links may wait for the writer in results, each of
// which counts as one more. Beyond that the fetchers wait, so that memory stays
// bounded when the disk is slow and pages are long lists.
const backlogLinks = 10_000

// writer collects results and puts all that are there into the database in one
// transaction, in a thread. While one transaction runs the next one collects,
// so their size fits itself to the load.
type writer struct {
	wake    asyncio.Event // something is to be done
	pending []*result
	backlog int                // links in pending, and their results
	room    lowlevel.WaitQueue // fetchers whose results must wait
	ending  bool
}

// WaitName says what fetchers wait for when the backlog is full.
func (w *writer) WaitName() string { return "the database" }

// end lets the writer end once everything is written.
func (w *writer) end() {
	w.ending = true
	w.wake.Set()
}

// write hands a result to the writer. It waits while too much is pending.
func (c *crawler) write(ctx context.Context, r *result) error {
	w := &c.writer
	for w.backlog >= backlogLinks {
		if err := w.room.Wait(ctx, w); err != nil {
			return err
		}
	}
	r.page.Links = len(r.links)
	w.pending = append(w.pending, r)
	w.backlog += 1 + len(r.links)
	w.wake.Set()
	return nil
}

func (c *crawler) runWriter(ctx context.Context) (asyncio.None, error) {
	w := &c.writer
	for {
		if err := w.wake.Wait(ctx); err != nil {
			return asyncio.None{}, err
		}
		w.wake.Clear()
		batch, wants := w.pending, c.frontier.wants()
		if len(batch) == 0 && len(wants) == 0 {
			if w.ending {
				return asyncio.None{}, nil
			}
			continue
		}
		w.pending, w.backlog = nil, 0
		w.room.WakeAll()
		if w.ending {
			w.wake.Set()
		}
		out, err := inThread(ctx, func() (stored, error) { return c.store.write(batch, wants) })
		if err != nil {
			return asyncio.None{}, err
		}
		c.stored(batch, out)
	}
}

// stored lets everybody know of what is in the database now.
func (c *crawler) stored(batch []*result, out stored) {
	for _, r := range batch {
		c.summary.count(&r.page)
		if r.page.Error != "" && !r.item.denied {
			c.cfg.Log.Info("page failed", "url", r.page.URL, "error", r.page.Error)
		}
		if c.cfg.OnPage != nil {
			c.cfg.OnPage(r.page)
		}
	}
	c.queued = out.queued
	c.frontier.stored(batch, out)
}
