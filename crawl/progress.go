package crawl

import (
	"context"
	"time"

	"github.com/go-asyncio/asyncio"
)

// lagInterval is how often the loop's lag is measured, by the delay of a timer.
const lagInterval = 20 * time.Millisecond

// lagMeter measures how late the loop runs its timers.
type lagMeter struct {
	loop  *asyncio.Loop
	timer asyncio.Timer
	due   time.Duration
	worst time.Duration // since it was read last
}

func (m *lagMeter) start(loop *asyncio.Loop) {
	m.loop = loop
	m.timer.Init(loop, m.tick)
	m.arm()
}

func (m *lagMeter) arm() {
	m.due = m.loop.Time() + lagInterval
	m.timer.ResetAt(m.due)
}

func (m *lagMeter) tick() {
	m.worst = max(m.worst, m.loop.Time()-m.due)
	m.arm()
}

// reportProgress calls OnProgress until it is cancelled.
func (c *crawler) reportProgress(ctx context.Context) error {
	if c.cfg.OnProgress == nil {
		return nil
	}
	var lag lagMeter
	lag.start(c.loop)
	defer lag.timer.Stop()
	lastAt, lastPages, lastBytes := c.loop.Time(), 0, int64(0)
	for {
		if err := asyncio.Sleep(ctx, c.cfg.ProgressInterval); err != nil {
			return err
		}
		now, s := c.loop.Time(), &c.summary
		seconds := (now - lastAt).Seconds()
		c.cfg.OnProgress(Progress{
			Done:      s.Pages,
			Queued:    c.queued,
			InFlight:  c.frontier.inFlight,
			Errors:    s.failures(),
			PagesRate: float64(s.Pages-lastPages) / seconds,
			BytesRate: float64(s.Bytes-lastBytes) / seconds,
			Lag:       lag.worst,
			Wall:      now - c.began,
		})
		lastAt, lastPages, lastBytes, lag.worst = now, s.Pages, s.Bytes, 0
	}
}
