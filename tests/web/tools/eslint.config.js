// What ESLint checks in the modules of the web client; `make check` runs it from the project's root.
import js from "@eslint/js";
import nounsanitized from "eslint-plugin-no-unsanitized";
import globals from "globals";

export default [
  { ignores: ["app/web/static/vendor/"] },
  js.configs.recommended,
  nounsanitized.configs.recommended,
  {
    files: ["app/web/static/**/*.js"],
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "complexity": ["error", 15],
      "curly": ["error", "multi-line"],
      "eqeqeq": "error",
      "max-lines": ["error", 500],
      "no-alert": "error",
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-param-reassign": "error",
      "no-restricted-syntax": [
        "error",
        { selector: "Literal[value=/^https?:/]", message: "Only this server is talked to." },
        { selector: "Identifier[name='dangerouslySetInnerHTML']", message: "Use elements." },
      ],
      "no-script-url": "error",
      "no-shadow": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", ignoreRestSiblings: true }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["app/web/static/sw.js"],
    languageOptions: { sourceType: "script", globals: globals.serviceworker },
  },
];
