package tolmach_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tolmach/tolmach/bindings/go"
)

func TestRawRequestGivesTheResponse(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("large ", 1<<18)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/large":
			fmt.Fprint(w, large)
		case "/echo":
			w.Header().Set("Content-Type", "text/x-echo")
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), body)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "not here")
		}
	}))
	t.Cleanup(server.Close)
	client := newClient(t, server.URL, "raw-key-12345", nil)
	said, err := client.Raw(t.Context(), "POST", "/echo", "", []byte(`{"x":1}`))
	must(t, err)
	want(t, string(said), `POST Bearer raw-key-12345 application/json {"x":1}`)
	said, err = client.Raw(t.Context(), "PUT", "/echo", "text/plain", []byte("plain"))
	must(t, err)
	want(t, string(said), "PUT Bearer raw-key-12345 text/plain plain")
	said, err = client.Raw(t.Context(), "GET", "/large", "", nil)
	must(t, err)
	want(t, string(said) == large, true)

	session, err := client.OpenRaw(t.Context(), "POST", "/echo", "", []byte("{}"))
	must(t, err)
	defer session.Close()
	chunk, err := session.Next()
	must(t, err)
	want(t, chunk.Kind, tolmach.ChunkBody)
	want(t, chunk.MIME, "text/x-echo")

	_, err = client.Raw(t.Context(), "GET", "/nowhere", "", nil)
	wantIs(t, err, tolmach.ErrNotFound)
	want(t, details(t, err).Body, "not here")
	for _, wrong := range [][3]string{
		{"FETCH", "/echo", ""}, {"POST", "echo", ""}, {"POST", "/../x", ""}, {"POST\x00", "/echo", ""},
		{"POST", "/echo\x00", ""}, {"POST", "/echo", "\x00"},
	} {
		_, err := client.Raw(t.Context(), wrong[0], wrong[1], wrong[2], []byte("x"))
		wantIs(t, err, tolmach.ErrArgument)
	}
}
