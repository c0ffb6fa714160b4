package tolmach

// #include <tolmach.h>
import "C"

// Capabilities are what a provider or a model can do. The set is open: ignore the bits you do
// not know.
type Capabilities int32

const (
	// CanStream: answers arrive as they are written.
	CanStream Capabilities = C.TOLMACH_CAN_STREAM
	// CanHistory: takes a conversation; otherwise it is folded into one prompt.
	CanHistory Capabilities = C.TOLMACH_CAN_HISTORY
	// CanSystem: takes system messages.
	CanSystem Capabilities = C.TOLMACH_CAN_SYSTEM
	// CanTools: calls tools.
	CanTools Capabilities = C.TOLMACH_CAN_TOOLS
	// CanVision: reads images.
	CanVision Capabilities = C.TOLMACH_CAN_VISION
	// CanImages: makes images.
	CanImages Capabilities = C.TOLMACH_CAN_IMAGES
	// CanListModels: lists its models.
	CanListModels Capabilities = C.TOLMACH_CAN_LIST_MODELS
	// NeedsAuth: wants credentials.
	NeedsAuth Capabilities = C.TOLMACH_NEEDS_AUTH
	// Working: the service is believed to be up.
	Working Capabilities = C.TOLMACH_WORKING
)

// Has tells whether all of wanted are there.
func (c Capabilities) Has(wanted Capabilities) bool {
	return c&wanted == wanted
}

// A Provider is one that the library can talk to.
type Provider struct {
	// Name is what [NewClient] takes, such as "openai"; Label is its name for people.
	Name, Label string
	// URL of its site, and where its API is unless the config's base_url says otherwise.
	URL, BaseURL string
	// DefaultModel is asked when nobody names one; empty: name one.
	DefaultModel string
	// APIKeyEnv is the environment variable where its key is usually kept; empty: none.
	APIKeyEnv string
	// Capabilities are what it can do.
	Capabilities Capabilities
}

// Providers lists those that the library can talk to.
func Providers() []Provider {
	providers := make([]Provider, C.tolmach_provider_count())
	for i := range providers {
		given := C.tolmach_provider_get(C.size_t(i))
		providers[i] = Provider{
			Name:         text(given.name),
			Label:        text(given.label),
			URL:          text(given.url),
			BaseURL:      text(given.base_url),
			DefaultModel: text(given.default_model),
			APIKeyEnv:    text(given.api_key_env),
			Capabilities: Capabilities(given.capabilities),
		}
	}
	return providers
}
