package tolmach

import "sync"

// A guard lets an object of the library be closed while it is in use: it is freed by the last
// of its users to leave, so that no call meets memory that is gone. What uses an object through
// its guard does not care either when the garbage collector finds that nobody else does.
type guard struct {
	mu     sync.Mutex
	users  int
	closed bool
	free   func()
}

// enter makes the caller a user, unless the object is closed.
func (g *guard) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.users++
	return true
}

func (g *guard) leave() {
	g.mu.Lock()
	g.users--
	last := g.closed && g.users == 0
	g.mu.Unlock()
	if last {
		g.free()
	}
}

// shut lets nobody enter any more.
func (g *guard) shut() {
	if g.enter() {
		g.mu.Lock()
		g.closed = true
		g.mu.Unlock()
		g.leave()
	}
}

func (g *guard) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}
