package tolmach_test

import "testing"

// BenchmarkChunks measures a stream of small chunks, from the scripted server to the loop.
func BenchmarkChunks(b *testing.B) {
	client := onStage(b, nil)
	chunks := 0
	for b.Loop() {
		session := open(b, b.Context(), client, "many", "hello")
		for _, err := range session.Chunks() {
			must(b, err)
			chunks++
		}
		session.Close()
	}
	b.ReportMetric(float64(chunks)/b.Elapsed().Seconds(), "chunks/s")
}
