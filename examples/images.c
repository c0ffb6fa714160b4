/* Asks for images and writes them to files: images PROVIDER PROMPT [KEY=VALUE ...]
 *
 * Such as: images openai "A lighthouse in fog" model=gpt-image-1 */
#include <stdio.h>
#include <string.h>
#include <tolmach.h>

static tolmach_status open_client(const char *provider, char **settings, tolmach_client **client,
                                  tolmach_error **error) {
  tolmach_config *config = NULL;
  tolmach_status status = tolmach_config_new(provider, &config, error);
  for (; *settings != NULL && status == TOLMACH_OK; settings++) {
    char *value = strchr(*settings, '=');
    if (value != NULL) *value++ = '\0';
    status = tolmach_config_set(config, *settings, value, error);
  }
  if (status == TOLMACH_OK) status = tolmach_client_new(config, client, error);
  tolmach_config_free(config);
  return status;
}

/* What files of a media type are called. The type is the server's word: never part of a path. */
static const char *suffix(const char *mime) {
  if (strcmp(mime, "image/png") == 0) return "png";
  if (strcmp(mime, "image/jpeg") == 0) return "jpg";
  if (strcmp(mime, "image/webp") == 0) return "webp";
  return "image";
}

/* Writes the image of a chunk to a file. Returns 1 if that worked. */
static int save(const tolmach_chunk *chunk, int number) {
  char name[32];
  FILE *file;
  int written;
  if (chunk->bytes == NULL) return printf("image %d: %s\n", number, chunk->text.ptr), 1; /* a URL */
  snprintf(name, sizeof name, "image-%d.%s", number, suffix(chunk->mime.ptr));
  file = fopen(name, "wb");
  if (file == NULL) return perror(name), 0;
  written = fwrite(chunk->bytes, 1, chunk->bytes_len, file) == chunk->bytes_len;
  if (fclose(file) != 0 || !written) return perror(name), 0;
  printf("%s: %lu bytes\n", name, (unsigned long)chunk->bytes_len);
  return 1;
}

int main(int argc, char **argv) {
  tolmach_error *error = NULL;
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  int images = 0, saved = 0;

  if (argc < 3) return fprintf(stderr, "usage: images PROVIDER PROMPT [KEY=VALUE ...]\n"), 2;
  status = open_client(argv[1], argv + 3, &client, &error);
  if (status == TOLMACH_OK) status = tolmach_request_new(NULL, &request, &error);
  if (status == TOLMACH_OK)
    status = tolmach_request_message(request, "user", argv[2], TOLMACH_NUL_TERMINATED, &error);
  if (status == TOLMACH_OK) status = tolmach_session_open(client, request, &session, &error);
  while (status == TOLMACH_OK) {
    status = tolmach_session_poll(session, -1, &chunk, &error);
    if (status != TOLMACH_OK) break;
    if (chunk->kind == TOLMACH_CHUNK_IMAGE) saved += save(chunk, ++images);
    if (chunk->kind == TOLMACH_CHUNK_PROGRESS) fprintf(stderr, "%s\n", chunk->text.ptr);
    /* Some models say why there is no image. */
    if (chunk->kind == TOLMACH_CHUNK_TEXT || chunk->kind == TOLMACH_CHUNK_REFUSAL)
      fwrite(chunk->text.ptr, 1, chunk->text.len, stderr);
  }
  if (status == TOLMACH_END && images == 0) fprintf(stderr, "\nimages: the answer has no image\n");
  if (status < 0) fprintf(stderr, "images: %s\n", tolmach_error_message(error).ptr);
  tolmach_error_free(error);
  tolmach_session_free(session);
  tolmach_request_free(request);
  tolmach_client_free(client);
  return status == TOLMACH_END && images > 0 && saved == images ? 0 : 1;
}
