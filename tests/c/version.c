/* The header and the library are of one version. */
#include "check.h"

int main(void) {
  char version[32];
  sprintf(version, "%d.%d.%d", TOLMACH_VERSION_MAJOR, TOLMACH_VERSION_MINOR, TOLMACH_VERSION_PATCH);
  CHECK(!strcmp(version, TOLMACH_VERSION) && !strcmp(version, tolmach_version()));
  CHECK(TOLMACH_AT_LEAST(TOLMACH_VERSION_MAJOR, TOLMACH_VERSION_MINOR, TOLMACH_VERSION_PATCH));
  CHECK(TOLMACH_AT_LEAST(0, 0, 9) && !TOLMACH_AT_LEAST(99, 0, 0));
  CHECK(tolmach_abi_version() >= 1);
  return 0;
}
