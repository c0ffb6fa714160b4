// The header alone, twice.
#include <tolmach.hpp>
#include <tolmach.hpp>
