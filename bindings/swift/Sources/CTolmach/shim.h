#include <tolmach.h>
