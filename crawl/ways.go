package crawl

// way is how an address was reached.
type way struct {
	from        int64 // the referrer; 0: none
	depth, hops int
	follow      bool
}

// wayFrom is the way over a link of a page. A redirect leads to the same depth.
func wayFrom(page int64, depth, hops int, l link) way {
	if l.kind == redirect {
		return way{from: page, depth: depth, hops: hops + 1, follow: true}
	}
	return way{from: page, depth: depth + 1, follow: l.kind == followed}
}

// target returns the id of an address that was named somewhere. One that is new
// is added, and queued if it belongs to the crawl.
func (s *store) target(u string, w way) (int64, error) {
	k, found, err := s.find(u)
	if err != nil {
		return 0, err
	}
	if found {
		return k.id, s.improve(step{u, k, w})
	}
	k = known{state: outside, depth: noDepth}
	var originID int64
	if w.depth == 0 || s.scope.contains(u) {
		k.state = seen
		if w.follow {
			k.depth = w.depth
		}
		if k.depth <= s.depth && w.follow {
			k.state = queued
		}
		if originID, err = s.originOf(u); err != nil {
			return 0, err
		}
	}
	res, err := s.sql.add.ExecContext(background, u, null(originID), k.state, nullDepth(k.depth), w.hops, null(w.from))
	if err != nil {
		return 0, s.fault("write to", err)
	}
	if k.id, err = res.LastInsertId(); err != nil {
		return 0, s.fault("write to", err)
	}
	if k.state == queued {
		s.queued++
		s.out.grown[originID] = origin(u)
	}
	s.known.put(u, k)
	return k.id, nil
}

// step is a way to a known address.
type step struct {
	url string
	known
	way way
}

// isShorter reports whether a step's way is to be taken in place of the one
// known. It matters where the depth is limited, since the order in which pages
// arrive must not decide what is crawled; and where only nofollow links led so
// far.
func (s *store) isShorter(t step) bool {
	return t.way.follow && t.state != outside && t.way.depth < t.depth &&
		(s.depth != noDepth || t.state == seen)
}

// improve takes a way, and all that become shorter by it.
func (s *store) improve(first step) error {
	for todo := []step{first}; len(todo) > 0; {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !s.isShorter(t) {
			continue
		}
		t.depth = t.way.depth
		if t.state == seen && t.depth <= s.depth {
			t.state = queued
			if err := s.requeue(t.url, t.id); err != nil {
				return err
			}
		}
		if _, err := s.sql.improve.ExecContext(background, t.id, t.state, t.depth, t.way.hops, null(t.way.from)); err != nil {
			return s.fault("write to", err)
		}
		s.known.put(t.url, t.known)
		if t.state != done {
			continue
		}
		if _, err := s.sql.move.ExecContext(background, t.id, t.depth, null(t.way.from)); err != nil {
			return s.fault("write to", err)
		}
		next, err := s.beyond(t)
		if err != nil {
			return err
		}
		todo = append(todo, next...)
	}
	return nil
}

// beyond returns the ways that go on from a page that is done.
func (s *store) beyond(t step) (steps []step, err error) {
	links, err := s.links(t.id)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		k, _, err := s.find(l.url)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{l.url, k, wayFrom(t.id, t.depth, t.way.hops, l)})
	}
	return steps, nil
}

// requeue tells the frontier of an item that it may have passed by.
func (s *store) requeue(u string, id int64) error {
	originID, err := s.originOf(u)
	if err != nil {
		return err
	}
	s.queued++
	s.out.grown[originID] = origin(u)
	if lowest, ok := s.out.rewound[originID]; !ok || id < lowest {
		s.out.rewound[originID] = id
	}
	return nil
}

// links reads the links to follow of a page that is done.
func (s *store) links(page int64) (list []link, err error) {
	rows, err := s.sql.children.QueryContext(background, page)
	if err != nil {
		return nil, s.fault("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l link
		if err := rows.Scan(&l.url, &l.kind); err != nil {
			return nil, s.fault("read", err)
		}
		list = append(list, l)
	}
	return list, s.fault("read", rows.Err())
}

// widen takes one more host into the crawl, with those of its addresses that
// were seen before.
func (s *store) widen(name string) error {
	if s.scope.hosts[name] {
		return nil
	}
	s.scope.hosts[name] = true
	for _, scheme := range []string{"http://", "https://"} {
		steps, err := s.waysTo(scheme + name + "/")
		if err != nil {
			return err
		}
		for _, t := range steps {
			if !s.scope.contains(t.url) {
				continue
			}
			originID, err := s.originOf(t.url)
			if err != nil {
				return err
			}
			if err := s.exec("write to", "UPDATE urls SET state = ?, origin = ? WHERE id = ? AND state = ?", seen, originID, t.id, outside); err != nil {
				return err
			}
			if t.known, _, err = s.find(t.url); err != nil {
				return err
			}
			if err := s.improve(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// waysTo returns the links to addresses outside of the crawl that begin with
// prefix. It forgets what is known of those.
func (s *store) waysTo(prefix string) (steps []step, err error) {
	rows, err := s.conn.QueryContext(background, `SELECT u.url, u.id, p.id, p.depth, p_url.hops, e.kind
		FROM urls u JOIN edges e ON e.target = u.id JOIN pages p ON p.id = e.source JOIN urls p_url ON p_url.id = p.id
		WHERE u.state = 0 AND u.url >= ?1 AND u.url < ?1 || char(0x10FFFF)`, prefix)
	if err != nil {
		return nil, s.fault("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		var t step
		var page int64
		var depth, hops int
		var l link
		if err := rows.Scan(&t.url, &t.id, &page, &depth, &hops, &l.kind); err != nil {
			return nil, s.fault("read", err)
		}
		t.way = wayFrom(page, depth, hops, l)
		s.known.forget(t.url)
		steps = append(steps, t)
	}
	return steps, s.fault("read", rows.Err())
}
