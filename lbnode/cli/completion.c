#include "lbnode/cli/command.h"

#include <string.h>

/* Each noun once, in table order. */
static bool is_first_of_noun(size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(command_at(i)->noun, command_at(index)->noun) == 0)
            return false;
    }
    return true;
}

static void print_nouns(void)
{
    printf("    local nouns='");
    for (size_t i = 0; command_at(i); i++) {
        if (is_first_of_noun(i))
            printf("%s ", command_at(i)->noun);
    }
    printf("lb hm'\n");
}

static void print_verbs(void)
{
    printf("    case \"$noun\" in\n");
    for (size_t i = 0; command_at(i); i++) {
        if (!command_at(i)->verb || !is_first_of_noun(i))
            continue;
        printf("    %s) verbs='", command_at(i)->noun);
        for (size_t j = i; command_at(j); j++) {
            if (strcmp(command_at(j)->noun, command_at(i)->noun) == 0)
                printf("%s ", command_at(j)->verb);
        }
        printf("' ;;\n");
    }
    printf("    esac\n");
}

static void print_options_of_commands(void)
{
    printf("    case \"$noun $verb\" in\n");
    for (size_t i = 0; command_at(i); i++) {
        const struct command *command = command_at(i);
        struct option_table options;
        command_options(command, &options);
        printf("    '%s %s') options='", command->noun, command->verb ? command->verb : "");
        for (size_t o = 0; o < options.count; o++)
            printf("--%s ", options.rows[o].name);
        printf("' ;;\n");
    }
    printf("    esac\n");
}

bool run_completion_show(struct context *context, struct error *error)
{
    const char *shell = context->arguments.positional[0];
    if (strcmp(shell, "bash") != 0)
        return error_set(error, ERROR_USAGE, "completion exists for bash, not for %s", shell);
    printf("_lbnode()\n{\n"
           "    local current=\"${COMP_WORDS[COMP_CWORD]}\" noun=\"${COMP_WORDS[1]}\"\n"
           "    local verb=\"${COMP_WORDS[2]}\" verbs='' options=''\n"
           "    case \"$noun\" in lb) noun=loadbalancer ;; hm) noun=healthmonitor ;; esac\n");
    print_nouns();
    print_verbs();
    printf("    [ -n \"$verbs\" ] || verb=''\n");
    print_options_of_commands();
    printf("    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W \"$nouns\" -- \"$current\"))\n"
           "    elif [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$verbs\" ]; then\n"
           "        COMPREPLY=($(compgen -W \"$verbs\" -- \"$current\"))\n"
           "    elif [ \"${current:0:1}\" = - ]; then\n"
           "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
           "    else\n"
           "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
           "    fi\n}\ncomplete -F _lbnode lbnode\n");
    return true;
}
