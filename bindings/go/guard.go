package tolmach

import (
	"math"
	"sync/atomic"
)

// A guard lets an object of the library be closed while it is in use: it is freed by the last
// of its users to leave, so that no call meets memory that is gone. What uses an object through
// its guard does not care either when the garbage collector finds that nobody else does.
type guard struct {
	// How many users there are; shutOff is added once it is closed.
	users atomic.Int64
	free  func()
}

const shutOff = math.MinInt64

// enter makes the caller a user, unless the object is closed.
func (g *guard) enter() bool {
	for {
		users := g.users.Load()
		if users < 0 {
			return false
		}
		if g.users.CompareAndSwap(users, users+1) {
			return true
		}
	}
}

func (g *guard) leave() {
	// Nobody enters any more, so that this is so once.
	if g.users.Add(-1) == shutOff {
		g.free()
	}
}

// shut lets nobody enter any more.
func (g *guard) shut() {
	if g.enter() {
		g.users.Or(shutOff)
		g.leave()
	}
}

func (g *guard) isShut() bool {
	return g.users.Load() < 0
}
