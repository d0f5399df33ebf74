package crawl

// cacheLimit bounds how many addresses the store remembers; with about 200
// bytes each it is the larger part of the store's memory.
const cacheLimit = 1 << 15

// known is what the database holds about an address.
type known struct {
	id    int64
	depth int
	state urlState
}

// cache keeps the addresses that were used last, so that the links that every
// page of a site has cost no query. When the young half is full, it becomes the
// old half, and what was in that is forgotten.
type cache struct {
	limit      int
	young, old map[string]known
}

func newCache(limit int) *cache {
	return &cache{limit: limit / 2, young: map[string]known{}}
}

func (c *cache) get(url string) (known, bool) {
	k, ok := c.young[url]
	if !ok {
		if k, ok = c.old[url]; ok {
			c.put(url, k)
		}
	}
	return k, ok
}

func (c *cache) put(url string, k known) {
	if len(c.young) >= c.limit {
		c.young, c.old = make(map[string]known, c.limit), c.young
	}
	c.young[url] = k
}

func (c *cache) forget(url string) {
	delete(c.young, url)
	delete(c.old, url)
}
