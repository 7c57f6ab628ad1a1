import js from "@eslint/js";
import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules", "console/api/generated", "docs", "src", "build", "dist"] },
  js.configs.recommended,
  { files: ["scripts/*.mjs", "eslint.config.js"], languageOptions: { globals: { process: "readonly", URL: "readonly" } } },
  {
    files: ["console/**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, hooks.configs.flat["recommended-latest"], a11y.flatConfigs.strict],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Parts are for any screen: data comes to them, and they do not go and get it.
      "max-lines": ["error", { max: 200, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ["console/parts/**", "console/model/**"],
    rules: { "no-restricted-imports": ["error", { patterns: ["**/api/*", "**/screens/*", "**/shell/*"] }] },
  },
  {
    files: ["console/api/**"],
    rules: { "no-restricted-imports": ["error", { patterns: ["**/parts/*", "**/screens/*", "**/shell/*"] }] },
  },
);
