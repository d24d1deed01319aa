/* Runs a fuzz target on every file of the directories and files given: its seeds as plain
 * tests. Each input is also cut at every length up to 512 bytes, which is what streams do to
 * decoders. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_prefixes(const uint8_t *data, size_t size)
{
    for (size_t length = 0; length <= size && length <= 512; length++) {
        uint8_t *exact = malloc(length ? length : 1); /* so that a sanitizer sees overruns */
        if (!exact)
            return 1;
        memcpy(exact, data, length);
        LLVMFuzzerTestOneInput(exact, length);
        free(exact);
    }
    return LLVMFuzzerTestOneInput(data, size);
}

static int run_file(const char *path)
{
    enum {
        MAXIMUM = 1 << 20
    };
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(MAXIMUM);
    int rv = 1;
    if (file && data) {
        size_t size = fread(data, 1, MAXIMUM, file);
        rv = run_prefixes(data, size);
    }
    free(data);
    if (file)
        fclose(file);
    return rv;
}

static int run_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return run_file(path);
    int count = 0, rv = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        rv |= run_file(name);
        count++;
    }
    closedir(directory);
    printf("%s: %d seeds\n", path, count);
    return rv || count == 0; /* a target without seeds proves nothing */
}

int main(int argc, char **argv)
{
    int rv = argc < 2;
    for (int i = 1; i < argc; i++)
        rv |= run_directory(argv[i]);
    return rv;
}
