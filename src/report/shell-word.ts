export { shellWord, shellWords } from '../shell-word.ts';
