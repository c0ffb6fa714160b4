package tolmach

// WaitInThread lets the session be waited for as where there is no descriptor.
func (s *Session) WaitInThread() {
	s.core.ready = nil
}
