/* lbnode run: the daemon; everything else: the command line. */
#include <stdio.h>

int main(int argc, char **argv)
{
    (void)argv;
    fprintf(stderr, "lbnode: no commands yet (%d arguments)\n", argc - 1);
    return 2;
}
